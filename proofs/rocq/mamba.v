(* Theory M1 to M6: ranges, steps, sums and norms of a Mamba layer. *)
From Coq Require Import Reals Lra Lia Psatz.
From SsmBounds Require Import vectors sums.
From SsmBounds Require claims.
Open Scope R_scope.

Lemma div_le a b c d : 0 < b -> 0 < d -> a * d <= c * b -> a / b <= c / d.
Proof.
  intros Hb Hd H. apply (Rmult_le_reg_r (b * d)); [apply Rmult_lt_0_compat; assumption|].
  replace (a / b * (b * d)) with (a * d) by (field; lra). replace (c / d * (b * d)) with (c * b) by (field; lra). exact H.
Qed.

Lemma ln_le x y : 0 < x -> x <= y -> ln x <= ln y.
Proof. intros H L. destruct (Req_dec x y) as [->|N]; [lra|]. left. apply ln_increasing; lra. Qed.

(* M1.1: taps K_i, tokens x_i within r of c, e_i in [0, 1] *)
Theorem before_silu k (K x e : nat -> R) c r :
  (forall i, (i < k)%nat -> claims.M1_1.hypothesis_1 c r (x i) /\ 0 <= e i /\ claims.M1_1.hypothesis_2 (e i)) ->
  claims.M1_1.conclusion (sum k (fun i => Rmax 0 (K i * c + Rabs (K i) * r))) (sum k (fun i => e i * K i * x i)).
Proof.
  intros H. unfold claims.M1_1.conclusion, claims.M1_1.hypothesis_1, claims.M1_1.hypothesis_2 in *.
  apply sum_le. intros i Hi. destruct (H i Hi) as [Hx [E0 E1]].
  set (m := K i * c + Rabs (K i) * r). assert (A : K i * x i <= m).
  { unfold m. replace (K i * x i) with (K i * c + - (K i * (c - x i))) by ring.
    pose proof (Rle_abs (- (K i * (c - x i)))) as B. rewrite Rabs_Ropp, Rabs_mult in B.
    assert (Rabs (K i) * Rabs (c - x i) <= Rabs (K i) * r) by (apply Rmult_le_compat_l; [apply Rabs_pos|exact Hx]). lra. }
  pose proof (Rmax_l 0 m). pose proof (Rmax_r 0 m).
  apply Rle_trans with (e i * Rmax 0 m); [rewrite Rmult_assoc; apply Rmult_le_compat_l; lra|nra].
Qed.

(* M1.2: SiLU on an interval. A level v < 0 is x - v (1 + e^-x) >= 0, convex in x *)
Theorem larger_end : claims.M1_2.claim.
Proof.
  intros g h x Hg Hh. unfold claims.M1_2.conclusion.
  assert (P : forall y, 0 < 1 + exp y) by (intros y; pose proof (exp_pos y); lra).
  set (v := x / (1 + exp (- x))). assert (Ev : v * (1 + exp (- x)) = x) by (unfold v; field; pose proof (P (- x)); lra).
  assert (end_ : forall y, v * (1 + exp (- y)) <= y -> v <= y / (exp (- y) + 1)).
  { intros y H. rewrite (Rplus_comm (exp (- y))). apply (Rmult_le_reg_r (1 + exp (- y))); [apply P|].
    unfold Rdiv. rewrite Rmult_assoc, Rinv_l by (pose proof (P (- y)); lra). lra. }
  replace (- h - x) with (- (h + x)) by ring. replace (g - x) with (- (x - g)) by ring.
  destruct (Rle_dec 0 x) as [X|X].
  - eapply Rle_trans; [|apply Rmax_r]. apply end_.
    assert (exp (- (h + x)) <= exp (- x)) by (apply exp_le; lra).
    assert (0 <= v) by (unfold v; apply Rmult_le_pos; [lra|left; apply Rinv_0_lt_compat, P]).
    assert (v * (1 + exp (- (h + x))) <= v * (1 + exp (- x))) by (apply Rmult_le_compat_l; lra). lra.
  - assert (Hv : v < 0) by (pose proof (P (- x)); nra).
    assert (tangent : forall y, v * exp (- y) <= v * exp (- x) * (1 - (y - x))).
    { intros y. replace (- y) with (- x + - (y - x)) by ring. rewrite exp_plus.
      pose proof (exp_ineq1_le (- (y - x))). pose proof (exp_pos (- x)).
      assert (- v * exp (- x) * (1 + - (y - x)) <= - v * exp (- x) * exp (- (y - x)))
        by (apply Rmult_le_compat_l; [apply Rmult_le_pos; lra|assumption]). lra. }
    set (k := 1 + v * exp (- x)). destruct (Rle_dec 0 k) as [Hk|Hk].
    + eapply Rle_trans; [|apply Rmax_r]. apply end_. pose proof (tangent (h + x)) as T.
      assert (0 <= k * h) by (apply Rmult_le_pos; assumption). unfold k in *. lra.
    + eapply Rle_trans; [|apply Rmax_l]. apply end_. pose proof (tangent (x - g)) as T.
      assert (0 <= - k * g) by (apply Rmult_le_pos; lra). unfold k in *. lra.
Qed.

(* M1.4: a line above SiLU *)
Theorem line : claims.M1_4.claim.
Proof.
  intros g h x Hg Hh A B. unfold claims.M1_4.conclusion, claims.M1_4.hypothesis_1, claims.M1_4.hypothesis_2 in *.
  pose proof (exp_pos (- x)). apply div_le; [lra|lra|].
  assert (0 <= h * (g + x)) by (apply Rmult_le_pos; lra).
  assert (0 <= h * (g + x) * exp (- x)) by (apply Rmult_le_pos; lra).
  assert (0 <= g * (h - x)) by (apply Rmult_le_pos; lra). lra.
Qed.

(* M2.1: the step at the end of its logit's range *)
Theorem steps : claims.M2_1.claim.
Proof.
  intros ell g lo r Hg Hlo Hr. unfold claims.M2_1.conclusion.
  pose proof (exp_pos ell). assert (exp ell <= exp (ell + r)) by (apply exp_le; lra).
  pose proof (ln_le (exp ell + 1) (exp (ell + r) + 1) ltac:(lra) ltac:(lra)).
  apply Rle_min_compat_l, Rle_max_compat_l. assumption.
Qed.

(* M2.2: the gated time over T tokens *)
Theorem memory m M c a T : 0 < a ->
  (forall i, (i < T)%nat -> claims.M2_2.hypothesis_1 (c i) m /\ claims.M2_2.hypothesis_2 M (c i)) ->
  claims.M2_2.conclusion a m (tau c T) T.
Proof.
  intros Ha H. unfold claims.M2_2.conclusion, claims.M2_2.hypothesis_1, claims.M2_2.hypothesis_2 in *.
  assert (INR T * m <= tau c T) by (rewrite <- sum_const; apply sum_le; intros i Hi; apply H, Hi).
  apply exp_le. assert (a * (INR T * m) <= a * tau c T) by (apply Rmult_le_compat_l; lra). lra.
Qed.

(* M2.3: the doubling exponent *)
Theorem doubling : claims.M2_3.claim.
Proof.
  intros M lambda T HM Hl _. unfold claims.M2_3.conclusion.
  assert (P : 0 < M * lambda) by nra. pose proof (one_minus_exp_pos _ P) as D.
  unfold Rdiv. apply Rmult_le_compat_r; [left; apply Rinv_0_lt_compat, D|].
  set (L := M * INR T * lambda).
  replace (- (2 * M * INR T * lambda)) with (- L + - L) by (unfold L; ring). rewrite exp_plus.
  pose proof (Rle_0_sqr (1 - exp (- L))) as Q. unfold Rsqr in Q.
  assert (M * (1 - exp (- L) * exp (- L)) <= M * (2 * (1 - exp (- L)))) by (apply Rmult_le_compat_l; lra). lra.
Qed.

(* M3.3: the rms of a group after the gated norm *)
Theorem gated_norm : claims.M3_3.claim.
Proof.
  intros epsilon w x He Hw Hx A. unfold claims.M3_3.conclusion, claims.M3_3.hypothesis_1 in *.
  assert (x ^ 2 <= w ^ 2) by (apply pow_incr; lra). pose proof (pow2_ge_0 x).
  apply div_le; [lra|lra|]. assert (epsilon * x ^ 2 <= epsilon * w ^ 2) by (apply Rmult_le_compat_l; lra). lra.
Qed.

(* M4.1: one rate for each clock *)
Theorem one_rate lam M c T : 0 < lam -> 0 < M -> gated M c T -> claims.M4_1_R_s.conclusion M (S_2 (- lam) c T) lam T.
Proof.
  intros Hl HM G. unfold claims.M4_1_R_s.conclusion. apply Rmin_glb.
  - rewrite Rmult_comm. apply Rmult_le_compat_l; [lra|]. apply (second_falling lam M c T Hl HM G).
  - pose proof (second_step lam M c T Hl HM G) as H. pose proof (tau_bounds M c T G) as B.
    replace (M * lam) with (lam * M) by ring. replace (M * INR T * lam) with (lam * (INR T * M)) by ring.
    pose proof (one_minus_exp_pos (lam * M) ltac:(nra)) as D.
    pose proof (whole lam (tau c T) (INR T * M) Hl ltac:(lra) ltac:(lra)) as W.
    pose proof (exp_pos (- (lam * (INR T * M)))).
    assert (0 <= lam * (INR T * M) * exp (- (lam * (INR T * M)))) by (apply Rmult_le_pos; [apply Rmult_le_pos; lra|lra]).
    apply (Rmult_le_reg_r (1 - exp (- (lam * M)))); [exact D|].
    replace (M * (1 - exp (- (lam * (INR T * M)))) / (1 - exp (- (lam * M))) * (1 - exp (- (lam * M))))
      with (M * (1 - exp (- (lam * (INR T * M))))) by (field; lra).
    assert (M * exp (- (lam * (INR T * M))) <= M * ((1 + lam * tau c T) * exp (- (lam * tau c T))))
      by (apply Rmult_le_compat_l; lra). lra.
Qed.

(* M6.1: RMSNorm *)
Theorem rms_norm : claims.M6_1.claim.
Proof.
  intros D a b epsilon s s_b t HD Ha Hb He Hs Hsb A B C F.
  unfold claims.M6_1.conclusion, claims.M6_1.hypothesis_1, claims.M6_1.hypothesis_2, claims.M6_1.hypothesis_3,
    claims.M6_1.hypothesis_4 in *.
  assert (Hab : a ^ 2 <= b ^ 2) by (apply pow_incr; lra).
  set (p := epsilon + a ^ 2 / D) in *. set (q := epsilon + b ^ 2 / D) in *.
  assert (Pp : 0 < p) by (unfold p; assert (0 < a ^ 2 / D) by (apply Rdiv_lt_0_compat; nra); lra).
  assert (Hpq : p <= q).
  { unfold p, q. apply Rplus_le_compat_l. unfold Rdiv. apply Rmult_le_compat_r; [left; apply Rinv_0_lt_compat, HD|lra]. }
  assert (S1 : s_b <= s).
  { apply Rsqr_incr_0_var; [|lra]. unfold Rsqr. apply (Rmult_le_reg_r p); [exact Pp|].
    assert (s_b ^ 2 * p <= s_b ^ 2 * q) by (apply Rmult_le_compat_l; [apply pow2_ge_0|lra]). lra. }
  assert (S2 : s * a <= s_b * b).
  { apply Rsqr_incr_0_var; [|apply Rmult_le_pos; lra]. unfold Rsqr.
    apply (Rmult_le_reg_r (p * q)); [apply Rmult_lt_0_compat; lra|].
    replace (s * a * (s * a) * (p * q)) with (s ^ 2 * p * (a ^ 2 * q)) by ring.
    replace (s_b * b * (s_b * b) * (p * q)) with (s_b ^ 2 * q * (b ^ 2 * p)) by ring.
    rewrite C, F, !Rmult_1_l. unfold p, q.
    replace (a ^ 2 * (epsilon + b ^ 2 / D)) with (epsilon * a ^ 2 + a ^ 2 * b ^ 2 / D) by (field; lra).
    replace (b ^ 2 * (epsilon + a ^ 2 / D)) with (epsilon * b ^ 2 + a ^ 2 * b ^ 2 / D) by (field; lra).
    apply Rplus_le_compat_r, Rmult_le_compat_l; lra. }
  assert (S3 : s * a <= s * b) by (apply Rmult_le_compat_l; lra).
  assert (0 <= a * s * (1 - t)) by (apply Rmult_le_pos; [apply Rmult_le_pos; lra|lra]).
  assert (K : 0 <= (s - s_b) * b * ((s + s_b) * b - 2 * a * s * t)).
  { apply Rmult_le_pos; [apply Rmult_le_pos; lra|lra]. }
  nra.
Qed.
