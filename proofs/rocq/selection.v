(* Theory 7: the weights of the grids, rounding to them, splitting their cells. *)
From Coq Require Import Reals Lra Lia Psatz.
From SsmBounds Require Import vectors.
From SsmBounds Require claims.
Open Scope R_scope.

Definition grid_weight (j : nat) : R := 1 / (2 * (INR j + 1) * (INR j + 2)).

Lemma pairs n : sum n (fun i => 2 * grid_weight (S i)) = 1 / 2 - 1 / (INR n + 2).
Proof.
  induction n as [|n IH]; [simpl; field|]. rewrite sum_S, IH. unfold grid_weight. rewrite S_INR.
  pose proof (pos_INR n). field. lra.
Qed.

(* 7: the weights of j and -j for j = 1..n; those of all integers add up to less than 3/4 *)
Theorem weights n : claims.s7_weights.conclusion (sum n (fun i => 2 * grid_weight (S i))).
Proof.
  unfold claims.s7_weights.conclusion. rewrite pairs. pose proof (pos_INR n).
  assert (0 < 1 / (INR n + 2)) by (apply Rdiv_lt_0_compat; lra). lra.
Qed.

(* 7: a point of the grid and the one before it *)
Theorem grid : claims.s7_grid.claim.
Proof.
  intros G_minus G_plus v Hm Hp Hv E A.
  unfold claims.s7_grid.conclusion, claims.s7_grid.hypothesis_1, claims.s7_grid.hypothesis_2 in *.
  rewrite E. apply Rmult_le_compat_l; [left; apply exp_pos|lra].
Qed.

Lemma root_of_2 k : Rpower 2 (/ (4 * INR k + 4)) <= 1 + / (4 * INR k + 4).
Proof.
  set (n := (4 * k + 4)%nat).
  assert (En : 4 * INR k + 4 = INR n) by (unfold n; rewrite plus_INR, mult_INR; simpl; ring).
  rewrite En. assert (Pn : 0 < INR n) by (apply lt_0_INR; unfold n; lia).
  assert (P : 0 < / INR n) by (apply Rinv_0_lt_compat; lra).
  pose proof (poly n (/ INR n) P) as B. replace (1 + INR n * (/ INR n)) with 2 in B by (field; lra).
  apply Rle_trans with (Rpower ((1 + / INR n) ^ n) (/ INR n)).
  - apply Rle_Rpower_l; lra.
  - rewrite <- Rpower_pow, Rpower_mult by lra. replace (INR n * (/ INR n)) with 1 by (field; lra).
    rewrite Rpower_1; lra.
Qed.

(* 7, s_A > 0: splitting the cells adds at most 1 to s_A M T *)
Theorem split : claims.s7_split.claim.
Proof.
  unfold claims.s7_split.claim, claims.s7_split.conclusion, claims.s7_split.hypothesis_1, claims.s7_split.hypothesis_2,
    claims.s7_split.hypothesis_3.
  intros. pose proof (root_of_2 k) as B. pose proof (pos_INR k).
  assert (P : 0 < 4 * INR k + 4) by lra.
  assert (Rpower 2 (/ (4 * INR k + 4)) * x <= (1 + / (4 * INR k + 4)) * x) by (apply Rmult_le_compat_r; lra).
  assert (/ (4 * INR k + 4) * x <= 1); [|lra].
  apply (Rmult_le_reg_l (4 * INR k + 4)); [exact P|].
  replace ((4 * INR k + 4) * (/ (4 * INR k + 4) * x)) with x by (field; lra). lra.
Qed.
