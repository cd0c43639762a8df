(* Theory 2 (C.9) and 3: how a covering radius is shared among blocks, for any number of blocks. *)
From Coq Require Import Reals Lra Lia Psatz.
From SsmBounds Require Import vectors.
From SsmBounds Require claims.
Open Scope R_scope.

Lemma cube_root x : 0 < x -> Rpower x (1 / 3) ^ 3 = x /\ 0 < Rpower x (1 / 3).
Proof.
  intros H. split; [|apply exp_pos]. rewrite <- Rpower_pow by apply exp_pos. rewrite Rpower_mult.
  replace (1 / 3 * INR 3) with 1 by (simpl; field). apply Rpower_1, H.
Qed.

Lemma two_thirds x : 0 < x -> Rpower x (2 / 3) = Rpower x (1 / 3) ^ 2.
Proof.
  intros H. rewrite <- Rpower_pow by apply exp_pos. rewrite Rpower_mult. f_equal. simpl. field.
Qed.

(* weighted means of one term: nu^3 alpha/eps^2 + 2 beta eps >= 3 nu alpha^(1/3) beta^(2/3) *)
Lemma means alpha beta eps nu : 0 < alpha -> 0 < beta -> 0 < eps -> 0 < nu ->
  3 * nu * (Rpower alpha (1 / 3) * Rpower beta (2 / 3)) <= nu ^ 3 * (alpha / eps ^ 2) + 2 * (beta * eps).
Proof.
  intros Ha Hb He Hn. rewrite (two_thirds beta Hb).
  destruct (cube_root alpha Ha) as [Ea Pa]. destruct (cube_root beta Hb) as [Eb Pb].
  destruct (cube_root eps He) as [Ee Pe].
  set (a := Rpower alpha (1 / 3)) in *. set (b := Rpower beta (1 / 3)) in *. set (e := Rpower eps (1 / 3)) in *.
  rewrite <- Ea, <- Eb, <- Ee.
  set (x := nu * a / e ^ 2). set (y := b * e).
  assert (0 < x) by (unfold x; apply Rdiv_lt_0_compat; [nra|apply pow_lt, Pe]). assert (0 < y) by (unfold y; nra).
  replace (nu ^ 3 * (a ^ 3 / (e ^ 3) ^ 2) + 2 * (b ^ 3 * e ^ 3)) with (x ^ 3 + 2 * y ^ 3) by (unfold x, y; field; lra).
  replace (3 * nu * (a * b ^ 2)) with (3 * x * y ^ 2) by (unfold x, y; field; lra).
  replace (x ^ 3 + 2 * y ^ 3) with (3 * x * y ^ 2 + (x - y) ^ 2 * (x + 2 * y)) by ring.
  assert (0 <= (x - y) ^ 2 * (x + 2 * y)) by (apply Rmult_le_pos; [apply pow2_ge_0|lra]). lra.
Qed.

(* C.9 *)
Theorem allocation n (alpha beta eps : nat -> R) : (0 < n)%nat ->
  (forall i, (i < n)%nat -> 0 < alpha i /\ 0 < beta i /\ 0 < eps i) ->
  claims.paper_C_9.conclusion
    (sum n (fun i => alpha i / eps i ^ 2))
    (sum n (fun i => beta i * eps i))
    (sum n (fun i => Rpower (alpha i) (1 / 3) * Rpower (beta i) (2 / 3))).
Proof.
  intros Hn H. unfold claims.paper_C_9.conclusion.
  assert (pos : forall f, (forall i, (i < n)%nat -> 0 < f i) -> 0 < sum n f).
  { intros f Hf. destruct n as [|k]; [lia|]. simpl. assert (0 <= sum k f).
    { apply sum_nonneg. intros i Hi. left. apply Hf. lia. } specialize (Hf k ltac:(lia)). lra. }
  set (E := sum n (fun i => beta i * eps i)).
  set (g := sum n (fun i => Rpower (alpha i) (1 / 3) * Rpower (beta i) (2 / 3))).
  set (S := sum n (fun i => alpha i / eps i ^ 2)).
  assert (PE : 0 < E) by (apply pos; intros i Hi; destruct (H i Hi) as [? [? ?]]; nra).
  assert (Pg : 0 < g) by (apply pos; intros i Hi; apply Rmult_lt_0_compat; apply exp_pos).
  assert (nu : 0 < E / g) by (apply Rdiv_lt_0_compat; assumption).
  assert (K : 3 * (E / g) * g <= (E / g) ^ 3 * S + 2 * E).
  { unfold S, E at 3, g at 2. rewrite <- !sum_scal, <- sum_plus. apply sum_le. intros i Hi.
    destruct (H i Hi) as [? [? ?]]. apply means; assumption. }
  replace (3 * (E / g) * g) with (3 * E) in K by (field; lra).
  apply (Rmult_le_reg_l ((E / g) ^ 3)); [apply pow_lt, nu|].
  replace ((E / g) ^ 3 * (g ^ 3 / E ^ 2)) with E by (field; lra). lra.
Qed.

(* 3.4: the parts of a product move the output by at most eps together *)
Theorem product n (beta d eps : nat -> R) d_z epsilon :
  (forall i, (i < n)%nat -> 0 <= beta i /\ d i <= eps i) -> d_z <= sum n (fun i => beta i * d i) ->
  sum n (fun i => beta i * eps i) = epsilon -> claims.s3_4_product.conclusion d_z epsilon.
Proof.
  intros H Hd <-. unfold claims.s3_4_product.conclusion. eapply Rle_trans; [exact Hd|].
  apply sum_le. intros i Hi. destruct (H i Hi). apply Rmult_le_compat_l; assumption.
Qed.

(* 3.4: the stationary split *)
Theorem stationary : claims.s3_4.claim.
Proof.
  intros g mu n Hg Hm Hn. unfold claims.s3_4.conclusion.
  set (w := sqrt (1 + 4 * n / (g * mu))).
  assert (Q : 0 < 4 * n / (g * mu)) by (apply Rdiv_lt_0_compat; [lra|apply Rmult_lt_0_compat; assumption]).
  assert (Hw : w * w = 1 + 4 * n / (g * mu)) by (apply sqrt_sqrt; lra).
  assert (W : 0 < w) by (apply sqrt_lt_R0; lra).
  assert (E : g * mu * (w * w - 1) = 4 * n) by (rewrite Hw; field; lra).
  assert (N : 2 * n = g * mu * (w - 1) * (w + 1) / 2) by (rewrite <- (Rmult_1_r (2 * n)); nra).
  rewrite N. field. repeat split; try lra.
  assert (0 < g * mu * (w + 1)) by (apply Rmult_lt_0_compat; [apply Rmult_lt_0_compat|]; lra). nra.
Qed.

(* 3.4: it is the best one. Shares eta (stationary at mu) and zeta (any), each of sum 1 *)
Lemma tangent n g eta zeta : 0 < n -> 0 < g -> 0 < eta -> 0 < zeta ->
  n * ln (1 + g / eta) <= n * ln (1 + g / zeta) + g * n / (eta * (eta + g)) * (zeta - eta).
Proof.
  intros Hn Hg He Hz.
  assert (Pe : 0 < 1 + g / eta) by (pose proof (Rdiv_lt_0_compat g eta Hg He); lra).
  assert (Pz : 0 < 1 + g / zeta) by (pose proof (Rdiv_lt_0_compat g zeta Hg Hz); lra).
  set (x := (1 + g / eta) / (1 + g / zeta)). assert (Px : 0 < x) by (apply Rdiv_lt_0_compat; assumption).
  assert (L : ln x <= x - 1) by (pose proof (exp_ineq1_le (ln x)); rewrite exp_ln in *; lra).
  assert (Ex : ln (1 + g / eta) = ln x + ln (1 + g / zeta)).
  { rewrite <- ln_mult by assumption. f_equal. unfold x. field. lra. }
  assert (B : x - 1 <= g / (eta * (eta + g)) * (zeta - eta)).
  { assert (D : 0 < eta * (eta + g) * (zeta + g)) by (repeat apply Rmult_lt_0_compat; lra).
    apply (Rmult_le_reg_r (eta * (eta + g) * (zeta + g))); [exact D|].
    replace ((x - 1) * (eta * (eta + g) * (zeta + g))) with (g * (zeta - eta) * (eta + g))
      by (unfold x; field; lra).
    replace (g / (eta * (eta + g)) * (zeta - eta) * (eta * (eta + g) * (zeta + g))) with (g * (zeta - eta) * (zeta + g))
      by (field; lra).
    assert (0 <= g * ((zeta - eta) * (zeta - eta))) by (apply Rmult_le_pos; [lra|apply Rle_0_sqr]). lra. }
  rewrite Ex. replace (g * n / (eta * (eta + g)) * (zeta - eta)) with (n * (g / (eta * (eta + g)) * (zeta - eta)))
    by (field; lra).
  rewrite <- Rmult_plus_distr_l. apply Rmult_le_compat_l; lra.
Qed.

Theorem best k (n g eta zeta : nat -> R) mu :
  (forall i, (i < k)%nat -> 0 < n i /\ 0 < g i /\ 0 < eta i /\ 0 < zeta i) ->
  (forall i, (i < k)%nat -> claims.s3_4_best.hypothesis_1 (eta i) (g i) mu (n i)) ->
  sum k eta = 1 -> sum k zeta = 1 ->
  claims.s3_4_best.conclusion (sum k (fun i => n i * ln (1 + g i / eta i))) (sum k (fun i => n i * ln (1 + g i / zeta i))).
Proof.
  intros H Hs He Hz. unfold claims.s3_4_best.conclusion, claims.s3_4_best.hypothesis_1 in *.
  apply Rle_trans with (sum k (fun i => n i * ln (1 + g i / zeta i) + mu * (zeta i - eta i))).
  - apply sum_le. intros i Hi. destruct (H i Hi) as [? [? [? ?]]]. rewrite <- (Hs i Hi). apply tangent; assumption.
  - rewrite sum_plus, sum_scal, sum_minus, He, Hz. lra.
Qed.

(* 3.5 *)
Theorem smaller : claims.s3_5.claim.
Proof.
  intros H H_1 H_2 _ _ _ A B. unfold claims.s3_5.conclusion, claims.s3_5.hypothesis_1, claims.s3_5.hypothesis_2 in *.
  apply Rmin_glb; assumption.
Qed.

(* 3.3: the gate's bias and weights as one block *)
Theorem joint_gate : claims.s3_3_gate.claim.
Proof.
  intros B_q B_u n_q p p_hi p_lo r_p HB Hu Hn Hr A B C E.
  unfold claims.s3_3_gate.conclusion, claims.s3_3_gate.hypothesis_1, claims.s3_3_gate.hypothesis_2,
    claims.s3_3_gate.hypothesis_3, claims.s3_3_gate.hypothesis_4 in *.
  assert (B_u * n_q <= B_u * B_q) by (apply Rmult_le_compat_l; assumption).
  assert (Rabs (p_hi / 2 + p_lo / 2 - p) <= r_p) by (apply Rabs_le; lra). lra.
Qed.

(* 3.2: a box by the midpoints of its cells *)
Theorem box : claims.s3_2_box.claim.
Proof.
  intros epsilon r x y He Hr A B.
  unfold claims.s3_2_box.conclusion, claims.s3_2_box.hypothesis_1, claims.s3_2_box.hypothesis_2 in *.
  set (K := Rmax 1 (claims.ceiling (r / epsilon))) in *.
  assert (K1 : 1 <= K) by apply Rmax_l.
  assert (K2 : r / epsilon <= K).
  { eapply Rle_trans; [|apply Rmax_r]. unfold claims.ceiling. pose proof (base_Int_part (- (r / epsilon))). lra. }
  assert (K3 : r / K <= epsilon).
  { apply (Rmult_le_reg_r K); [lra|]. unfold Rdiv. rewrite Rmult_assoc, Rinv_l by lra.
    apply (Rmult_le_compat_l epsilon) in K2; [|lra]. replace (epsilon * (r / epsilon)) with r in K2 by (field; lra). lra. }
  apply Rabs_le. lra.
Qed.
