(* Theory 4.5: what R_2 loses at T = 2, by interval arithmetic. *)
From Coq Require Import Reals Lra Psatz.
From Interval Require Import Tactic.
From SsmBounds Require claims.
Open Scope R_scope.

Lemma low x : 1 / 10 <= x <= 1 -> 1 < 3 * exp (- x).
Proof. intros H. interval. Qed.

Lemma middle x : 1 <= x <= 1.09 -> 1 < 3 * exp (- 1) / x.
Proof. intros H. interval. Qed.

Lemma high x : 1.09 <= x <= 10 -> (1 - (2 * x + 1) * exp (- (2 * x))) / (x * (1 - exp (- x))) < 3 * exp (- 1) / x.
Proof.
  intros H. assert (0 < 1 - exp (- x)) by interval.
  assert (K : 0 < 3 * exp (- 1) * (1 - exp (- x)) - (1 - (2 * x + 1) * exp (- (2 * x))))
    by interval with (i_bisect x, i_taylor x, i_degree 6, i_depth 20).
  apply (Rmult_lt_reg_r (x * (1 - exp (- x)))); [nra|].
  replace ((1 - (2 * x + 1) * exp (- (2 * x))) / (x * (1 - exp (- x))) * (x * (1 - exp (- x))))
    with (1 - (2 * x + 1) * exp (- (2 * x))) by (field; lra).
  replace (3 * exp (- 1) / x * (x * (1 - exp (- x)))) with (3 * exp (- 1) * (1 - exp (- x))) by (field; lra). lra.
Qed.

Theorem loss : claims.s4_5_loss.claim.
Proof.
  intros x _ A B. unfold claims.s4_5_loss.conclusion, claims.s4_5_loss.hypothesis_1, claims.s4_5_loss.hypothesis_2 in *.
  destruct (Rle_dec x 1) as [L|L].
  - rewrite (Rmin_right 1 x), Rmax_left by lra. eapply Rle_lt_trans; [apply Rmin_l|]. pose proof (low x ltac:(lra)). lra.
  - rewrite (Rmin_left 1 x), Rmax_right by lra. destruct (Rle_dec x 1.09).
    + eapply Rle_lt_trans; [apply Rmin_l|]. apply middle; lra.
    + eapply Rle_lt_trans; [apply Rmin_r|]. apply high; lra.
Qed.
