(* Theory 4.3 and 6.4: slopes of softplus and of the losses. *)
From Coq Require Import Reals Lra Psatz.
From Coquelicot Require Import Coquelicot.
From SsmBounds Require claims.
Open Scope R_scope.

Theorem slope : claims.s4_3.claim.
Proof.
  intros x Hx. unfold claims.s4_3.conclusion.
  apply Rmin_glb; [pose proof (exp_pos (- x)); lra|].
  pose proof (exp_ineq1_le (- x)); lra.
Qed.

Definition softplus (l : R) : R := ln (1 + exp l).

Lemma softplus_pos l : 0 < softplus l.
Proof. unfold softplus. rewrite <- ln_1. apply ln_increasing; pose proof (exp_pos l); lra. Qed.

(* the gate itself: its derivative in the logit is the slope that 4.3 bounds *)
Theorem softplus_derive l : is_derive softplus l (1 - exp (- softplus l)).
Proof.
  unfold softplus. pose proof (exp_pos l).
  auto_derive; [lra|]. rewrite exp_Ropp, exp_ln by lra. field. lra.
Qed.
