(* Theory 2: what papers state and is true as it stands. *)
From Coq Require Import Reals Lra Lia Psatz.
From Coquelicot Require Rcomplements.
From SsmBounds Require vectors sums claims.
Open Scope R_scope.

(* C.4: softplus *)
Theorem softplus_lipschitz : claims.paper_C_4.claim.
Proof.
  intros ell h Hh. unfold claims.paper_C_4.conclusion.
  pose proof (exp_pos ell). pose proof (exp_pos h).
  assert (H1 : 1 <= exp h) by (rewrite <- exp_0; apply sums.exp_le; exact Hh).
  rewrite exp_plus. set (x := exp ell + 1). set (y := exp ell * exp h + 1).
  assert (Hxy : x <= y) by (unfold x, y; nra). assert (Hy : y <= exp h * x) by (unfold x, y; nra).
  assert (Hx : 0 < x) by (unfold x; lra).
  assert (ln x <= ln y) by (destruct (Req_dec x y) as [->|]; [lra|left; apply ln_increasing; lra]).
  assert (ln y <= h + ln x).
  { rewrite <- (ln_exp h) at 1. rewrite <- ln_mult by lra.
    destruct (Req_dec y (exp h * x)) as [->|]; [lra|left; apply ln_increasing; lra]. }
  apply Rabs_le. lra.
Qed.

(* 3.3: the factor that is hidden when S_1 is dropped against S_2 *)
Theorem hidden_factor : claims.paper_3_3_factor.claim.
Proof.
  intros rho T Hr _ H1. unfold claims.paper_3_3_factor.conclusion, claims.paper_3_3_factor.hypothesis_1 in *.
  assert (0 <= INR T * rho ^ T / (1 - rho)); [|lra].
  apply Rcomplements.Rdiv_le_0_compat; [|lra]. apply Rmult_le_pos; [apply pos_INR|left; apply pow_lt; exact Hr].
Qed.
