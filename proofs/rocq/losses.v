(* Theory 6.3 and 6.4: margins, and Lipschitz constants of the losses. *)
From Coq Require Import Reals Lra Lia Psatz.
From SsmBounds Require Import vectors sums.
From SsmBounds Require claims.
Open Scope R_scope.

(* 6.3: a member and its centre *)
Theorem margin : claims.s6_3.claim.
Proof.
  intros L_mu epsilon g mu mu_0 HL He Hg A B C.
  unfold claims.s6_3.conclusion, claims.s6_3.hypothesis_1, claims.s6_3.hypothesis_2, claims.s6_3.hypothesis_3 in *.
  split; lra.
Qed.

Lemma sqrt_2_sq : sqrt 2 * sqrt 2 = 2.
Proof. apply sqrt_sqrt. lra. Qed.

Theorem margin_lipschitz : claims.s6_3_lipschitz.claim.
Proof.
  intros D m_x m_z x_j x_y z_j z_y HD A B C.
  unfold claims.s6_3_lipschitz.conclusion, claims.s6_3_lipschitz.hypothesis_1, claims.s6_3_lipschitz.hypothesis_2,
    claims.s6_3_lipschitz.hypothesis_3 in *.
  apply Rle_trans with ((x_j - z_j) + (z_y - x_y)); [lra|].
  pose proof sqrt_2_sq as E. pose proof (sqrt_pos 2). apply Rsqr_incr_0_var; [|apply Rmult_le_pos; lra]. unfold Rsqr.
  replace (sqrt 2 * D * (sqrt 2 * D)) with (sqrt 2 * sqrt 2 * (D * D)) by ring. rewrite E.
  pose proof (Rle_0_sqr ((x_j - z_j) - (z_y - x_y))) as Q. unfold Rsqr in Q. nra.
Qed.

(* 6.4: binary cross-entropy, clipped *)
Theorem binary : claims.s6_4.claim.
Proof.
  intros H c HH Hc A. unfold claims.s6_4.conclusion, claims.s6_4.hypothesis_1 in *.
  assert (exp (- c) <= exp (- H)) by (apply exp_le; lra). lra.
Qed.

(* 6.4: softmax. Wrong classes of probabilities p_i; the gradient has the entries p_i and p_y - 1, p_y = e^-H *)
Theorem softmax n (p : nat -> R) H c :
  (forall i, (i < n)%nat -> 0 <= p i) -> sum n p + exp (- H) = 1 -> 0 <= H -> claims.s6_4_softmax.hypothesis_1 H c ->
  claims.s6_4_softmax.conclusion c (norm (S n) (fun i => if Nat.eqb i n then exp (- H) - 1 else p i)).
Proof.
  intros Hp Hs H0 Hc. unfold claims.s6_4_softmax.conclusion, claims.s6_4_softmax.hypothesis_1 in *.
  assert (squares : forall k, (k <= n)%nat -> 0 <= sum k p /\ sum k (fun i => p i * p i) <= sum k p * sum k p).
  { induction k as [|k IH]; intros Hk; simpl; [lra|]. destruct (IH ltac:(lia)) as [A B].
    pose proof (Hp k ltac:(lia)). split; [lra|]. assert (0 <= sum k p * p k) by (apply Rmult_le_pos; assumption). lra. }
  destruct (squares n (le_n n)) as [A B]. set (P := sum n p) in *.
  assert (E : norm (S n) (fun i => if Nat.eqb i n then exp (- H) - 1 else p i)
    = sqrt (sum n (fun i => p i * p i) + P * P)).
  { unfold norm, dot. f_equal. rewrite sum_S, Nat.eqb_refl. f_equal.
    - apply sum_ext. intros i Hi. replace (Nat.eqb i n) with false; [reflexivity|].
      symmetry. apply Nat.eqb_neq. lia.
    - replace (exp (- H) - 1) with (- P) by lra. ring. }
  rewrite E. apply Rle_trans with (sqrt (2 * (P * P))); [apply sqrt_le_1_alt; lra|].
  rewrite sqrt_mult, sqrt_square by nra. apply Rmult_le_compat_l; [apply sqrt_pos|].
  assert (exp (- c) <= exp (- H)) by (apply exp_le; lra). lra.
Qed.

(* 6.4: the ramp *)
Lemma cut_moves x y : Rabs (Rmin 1 (Rmax 0 x) - Rmin 1 (Rmax 0 y)) <= Rabs (x - y).
Proof.
  unfold Rmin, Rmax. destruct (Rle_dec 0 x), (Rle_dec 0 y);
  repeat match goal with |- context [Rle_dec ?a ?b] => destruct (Rle_dec a b) end;
  unfold Rabs; repeat destruct Rcase_abs; lra.
Qed.

Theorem ramp : claims.s6_4_ramp.claim.
Proof.
  intros D L_mu g mu nu HD HL Hg A. unfold claims.s6_4_ramp.conclusion, claims.s6_4_ramp.hypothesis_1 in *.
  eapply Rle_trans; [apply cut_moves|].
  replace (1 - mu / g - (1 - nu / g)) with (- ((mu - nu) / g)) by (field; lra).
  rewrite Rabs_Ropp. unfold Rdiv. rewrite Rabs_mult, Rabs_inv, (Rabs_right g) by lra.
  apply Rmult_le_compat_r; [left; apply Rinv_0_lt_compat, Hg|]. lra.
Qed.
