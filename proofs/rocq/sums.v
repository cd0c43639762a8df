(* Theory 4.4 and 4.5: the sums over gates, for every sequence of gates of every length.
   Gates c_0, c_1, ..., the most recent first; tau_i is the gated time after gate i. *)
From Coq Require Import Reals Lra Lia Psatz.
From SsmBounds Require Import vectors.
From SsmBounds Require claims.
Open Scope R_scope.

Definition tau (c : nat -> R) (i : nat) : R := sum i c.
Definition gated (M : R) (c : nat -> R) (T : nat) : Prop := forall i, (i < T)%nat -> 0 < c i <= M.
Definition S_1 (s : R) (c : nat -> R) (T : nat) : R := sum T (fun i => c i * exp (s * tau c i)).
Definition S_2 (s : R) (c : nat -> R) (T : nat) : R := sum T (fun i => c i * tau c i * exp (s * tau c i)).

Lemma exp_le x y : x <= y -> exp x <= exp y.
Proof. intros [H| ->]; [left; apply exp_increasing; exact H|lra]. Qed.

Lemma exp_opp x : exp (- x) * exp x = 1.
Proof. rewrite <- exp_plus. replace (- x + x) with 0 by ring. apply exp_0. Qed.

Lemma one_minus_exp_pos x : 0 < x -> 0 < 1 - exp (- x).
Proof. intros; pose proof (exp_increasing (- x) 0 ltac:(lra)); rewrite exp_0 in *; lra. Qed.

Lemma area x : exp (- x) * (1 + x) <= 1.
Proof. pose proof (exp_ineq1_le x). pose proof (exp_pos (- x)). pose proof (exp_opp x). nra. Qed.

Lemma scaled x h : 0 < x -> 0 <= h -> x * (1 - exp (- (x + h))) <= (x + h) * (1 - exp (- x)).
Proof.
  intros Hx Hh. replace (- (x + h)) with (- x + - h) by ring. rewrite exp_plus.
  pose proof (exp_ineq1_le (- h)). pose proof (area x). pose proof (exp_pos (- x)).
  assert (exp (- x) * (1 - h) <= exp (- x) * exp (- h)) by (apply Rmult_le_compat_l; lra).
  assert (x * (exp (- x) * (1 - h)) <= x * (exp (- x) * exp (- h))) by (apply Rmult_le_compat_l; lra).
  nra.
Qed.

Lemma gate_loss lam c M : 0 < lam -> 0 < c -> c <= M ->
  c * (1 - exp (- (lam * M))) <= M * (1 - exp (- (lam * c))).
Proof.
  intros Hl Hc HM. pose proof (scaled (lam * c) (lam * (M - c)) ltac:(nra) ltac:(nra)) as H.
  replace (lam * c + lam * (M - c)) with (lam * M) in H by ring. apply (Rmult_le_reg_l lam); nra.
Qed.

(* 4.4, the factor *)
Theorem factor : claims.s4_4_factor.claim.
Proof.
  intros b c lam Hb Hc Hl. unfold claims.s4_4_factor.conclusion.
  pose proof (gate_loss lam c (b + c) Hl Hc ltac:(lra)) as H. rewrite (Rmult_comm c lam). lra.
Qed.

Lemma tau_S c i : tau c (S i) = tau c i + c i.
Proof. reflexivity. Qed.

Lemma tau_bounds M c T : gated M c T -> 0 <= tau c T <= INR T * M.
Proof.
  induction T as [|T IH]; intros G; [unfold tau; simpl; lra|].
  pose proof (IH (fun i Hi => G i ltac:(lia))). pose proof (G T ltac:(lia)).
  rewrite tau_S, S_INR. lra.
Qed.

Lemma gated_before M c T i : gated M c T -> (i <= T)%nat -> gated M c i.
Proof. intros G H j Hj. apply G. lia. Qed.

Lemma exp_split lam x y : exp (- (lam * (x + y))) = exp (- (lam * x)) * exp (- (lam * y)).
Proof. rewrite <- exp_plus. f_equal. ring. Qed.

Lemma first_step lam M c T : 0 < lam -> 0 < M -> gated M c T ->
  S_1 (- lam) c T * (1 - exp (- (lam * M))) <= M * (1 - exp (- (lam * tau c T))).
Proof.
  intros Hl HM. induction T as [|T IH]; intros G.
  - unfold S_1, tau; simpl. rewrite Rmult_0_r, Ropp_0, exp_0. lra.
  - specialize (IH (fun i Hi => G i ltac:(lia))). destruct (G T ltac:(lia)) as [c0 cM].
    unfold S_1 in *. rewrite sum_S, tau_S, exp_split.
    replace (- lam * tau c T) with (- (lam * tau c T)) by ring.
    pose proof (gate_loss lam (c T) M Hl c0 cM) as K. pose proof (exp_pos (- (lam * tau c T))) as P.
    apply (Rmult_le_compat_l _ _ _ (Rlt_le _ _ P)) in K. lra.
Qed.

(* 4.5, R_1 for s_A < 0 *)
Theorem first_falling lam M c T : 0 < lam -> 0 < M -> gated M c T ->
  claims.s4_5.conclusion M (S_1 (- lam) c T) lam T.
Proof.
  intros Hl HM G. unfold claims.s4_5.conclusion.
  pose proof (first_step lam M c T Hl HM G) as H. pose proof (tau_bounds M c T G) as B.
  replace (M * lam) with (lam * M) by ring. replace (M * INR T * lam) with (lam * (INR T * M)) by ring.
  pose proof (one_minus_exp_pos (lam * M) ltac:(nra)) as D.
  apply (Rmult_le_reg_r (1 - exp (- (lam * M)))); [lra|].
  unfold Rdiv. rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra.
  assert (exp (- (lam * (INR T * M))) <= exp (- (lam * tau c T))) by (apply exp_le; nra).
  nra.
Qed.

Lemma second_step lam M c T : 0 < lam -> 0 < M -> gated M c T ->
  lam * (1 - exp (- (lam * M))) * S_2 (- lam) c T <= M * (1 - (1 + lam * tau c T) * exp (- (lam * tau c T))).
Proof.
  intros Hl HM. induction T as [|T IH]; intros G.
  - unfold S_2, tau; simpl. replace (- (lam * 0)) with 0 by ring. rewrite exp_0. lra.
  - assert (G' : gated M c T) by (intros i Hi; apply G; lia). specialize (IH G').
    destruct (G T ltac:(lia)) as [c0 cM]. pose proof (tau_bounds M c T G') as B.
    unfold S_2 in *. rewrite sum_S, tau_S, exp_split.
    replace (- lam * tau c T) with (- (lam * tau c T)) by ring.
    pose proof (gate_loss lam (c T) M Hl c0 cM) as K. pose proof (area (lam * c T)) as A.
    pose proof (exp_pos (- (lam * tau c T))) as P.
    assert (K1 : exp (- (lam * tau c T)) * (lam * tau c T) * (c T * (1 - exp (- (lam * M))))
      <= exp (- (lam * tau c T)) * (lam * tau c T) * (M * (1 - exp (- (lam * c T)))))
      by (apply Rmult_le_compat_l; [apply Rmult_le_pos; nra|lra]).
    assert (A1 : 0 <= M * exp (- (lam * tau c T)) * (1 - exp (- (lam * c T)) * (1 + lam * c T)))
      by (apply Rmult_le_pos; [apply Rmult_le_pos; lra|lra]).
    set (e := exp (- (lam * tau c T))) in *. set (f := exp (- (lam * c T))) in *.
    set (q := exp (- (lam * M))) in *. lra.
Qed.

Lemma whole lam a b : 0 < lam -> 0 <= a -> a <= b ->
  (1 + lam * b) * exp (- (lam * b)) <= (1 + lam * a) * exp (- (lam * a)).
Proof.
  intros Hl Ha Hab. replace b with (a + (b - a)) at 2 by ring. rewrite exp_split.
  pose proof (exp_pos (- (lam * a))) as P. pose proof (area (lam * (b - a))) as A.
  assert (L : exp (- (lam * (b - a))) <= 1) by (rewrite <- exp_0; apply exp_le; nra).
  assert (K : (1 + lam * b) * exp (- (lam * (b - a))) <= 1 + lam * a).
  { assert (lam * a * exp (- (lam * (b - a))) <= lam * a * 1) by (apply Rmult_le_compat_l; nra).
    replace (1 + lam * b) with (1 + lam * (b - a) + lam * a) by ring. lra. }
  apply (Rmult_le_compat_l _ _ _ (Rlt_le _ _ P)) in K. lra.
Qed.

Lemma plateau s M c T : s <= 0 -> gated M c T -> S_2 s c T <= M ^ 2 * INR T * (INR T - 1) / 2.
Proof.
  intros Hs. induction T as [|T IH]; intros G; [unfold S_2; simpl; lra|].
  assert (G' : gated M c T) by (intros i Hi; apply G; lia). specialize (IH G').
  destruct (G T ltac:(lia)) as [c0 cM]. pose proof (tau_bounds M c T G') as B.
  unfold S_2 in *. rewrite sum_S, S_INR.
  assert (E : exp (s * tau c T) <= 1) by (rewrite <- exp_0; apply exp_le; nra).
  pose proof (exp_pos (s * tau c T)).
  assert (c T * tau c T <= M * (INR T * M)) by (apply Rmult_le_compat; lra).
  assert (0 <= c T * tau c T) by (apply Rmult_le_pos; lra).
  assert (c T * tau c T * exp (s * tau c T) <= M * (INR T * M) * 1) by (apply Rmult_le_compat; lra).
  lra.
Qed.

(* 4.5, R_2 for s_A < 0 *)
Theorem second_falling lam M c T : 0 < lam -> 0 < M -> gated M c T ->
  claims.s4_5_R_2.conclusion M (S_2 (- lam) c T) lam T.
Proof.
  intros Hl HM G. unfold claims.s4_5_R_2.conclusion. apply Rmin_glb; [apply plateau; [lra|exact G]|].
  pose proof (second_step lam M c T Hl HM G) as H. pose proof (tau_bounds M c T G) as B.
  replace (M * lam) with (lam * M) by ring. replace (M * INR T * lam) with (lam * (INR T * M)) by ring.
  pose proof (one_minus_exp_pos (lam * M) ltac:(nra)).
  pose proof (whole lam (tau c T) (INR T * M) Hl ltac:(lra) ltac:(lra)) as W.
  assert (D : 0 < lam * (1 - exp (- (lam * M)))) by nra.
  apply (Rmult_le_reg_r (lam * (1 - exp (- (lam * M))))); [lra|].
  unfold Rdiv. rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra. nra.
Qed.

(* 4.5, R_2 for s_A = 0 *)
Theorem second_zero M c T : gated M c T -> claims.s4_5_zero.conclusion M (S_2 0 c T) T.
Proof. intros G. unfold claims.s4_5_zero.conclusion. apply plateau; [lra|exact G]. Qed.

(* 4.5, R_1 for s_A = 0 *)
Theorem first_zero M c T : gated M c T -> S_1 0 c T <= INR T * M.
Proof.
  intros G. unfold S_1. rewrite (sum_ext T _ c); [apply (tau_bounds M c T G)|].
  intros i _. rewrite Rmult_0_l, exp_0. ring.
Qed.

(* rising weights: every gate at its largest *)
Lemma exp_INR x n : exp (INR n * x) = exp x ^ n.
Proof.
  induction n as [|n IH]; [simpl; rewrite Rmult_0_l; apply exp_0|].
  rewrite S_INR, Rmult_plus_distr_r, exp_plus, IH, Rmult_1_l. simpl. ring.
Qed.

Lemma rising_weight lam M c T i : 0 < lam -> gated M c T -> (i < T)%nat ->
  0 < exp (lam * tau c i) <= exp (M * lam) ^ i /\ 0 <= tau c i <= INR i * M.
Proof.
  intros Hl G Hi. pose proof (tau_bounds M c i (gated_before M c T i G ltac:(lia))) as B.
  split; [|exact B]. split; [apply exp_pos|]. rewrite <- exp_INR. apply exp_le. nra.
Qed.

Lemma geometric r n : r <> 1 -> sum n (fun i => r ^ i) = (1 - r ^ n) / (1 - r).
Proof. intros H. induction n as [|n IH]; [simpl; field; lra|]. rewrite sum_S, IH. simpl. field. lra. Qed.

Lemma weighted_geometric r n : r <> 1 ->
  sum n (fun i => INR i * r ^ i) = (1 - r ^ n) * r / (1 - r) ^ 2 - INR n * r ^ n / (1 - r).
Proof.
  intros H. induction n as [|n IH]; [simpl; field; lra|]. rewrite sum_S, IH, S_INR. simpl. field. lra.
Qed.

Lemma largest_power M lam : 0 < lam -> 0 < M -> 1 < exp (M * lam).
Proof. intros. rewrite <- exp_0. apply exp_increasing. nra. Qed.

(* 4.5, R_1 for s_A > 0 *)
Theorem first_rising lam M c T : 0 < lam -> 0 < M -> gated M c T ->
  claims.s4_5_R_1_rising.conclusion M (S_1 lam c T) lam T.
Proof.
  intros Hl HM G. unfold claims.s4_5_R_1_rising.conclusion. pose proof (largest_power M lam Hl HM).
  replace (M * INR T * lam) with (INR T * (M * lam)) by ring. rewrite exp_INR.
  unfold Rdiv. rewrite Rmult_assoc. fold (Rdiv (1 - exp (M * lam) ^ T) (1 - exp (M * lam))).
  rewrite <- geometric, <- sum_scal by lra. apply sum_le. intros i Hi.
  pose proof (rising_weight lam M c T i Hl G Hi). pose proof (G i Hi). apply Rmult_le_compat; lra.
Qed.

(* 4.5, R_2 for s_A > 0 *)
Theorem second_rising lam M c T : 0 < lam -> 0 < M -> gated M c T ->
  claims.s4_5_R_2_rising.conclusion M (S_2 lam c T) lam T.
Proof.
  intros Hl HM G. unfold claims.s4_5_R_2_rising.conclusion. pose proof (largest_power M lam Hl HM).
  replace (M * INR T * lam) with (INR T * (M * lam)) by ring. rewrite exp_INR.
  rewrite <- weighted_geometric, <- sum_scal by lra. apply sum_le. intros i Hi.
  pose proof (rising_weight lam M c T i Hl G Hi) as [W B]. pose proof (G i Hi).
  replace (M ^ 2 * (INR i * exp (M * lam) ^ i)) with (M * (INR i * M) * exp (M * lam) ^ i) by ring.
  apply Rmult_le_compat; [apply Rmult_le_pos; lra|lra|apply Rmult_le_compat; lra|lra].
Qed.

(* 4.5, every length *)
Theorem every_length : claims.s4_5_uniform.claim.
Proof.
  intros M lam T HM Hl _. unfold claims.s4_5_uniform.conclusion.
  assert (P : 0 < M * lam) by nra. pose proof (one_minus_exp_pos _ P) as D. pose proof (area (M * lam)) as A.
  pose proof (pos_INR T). set (L := M * INR T * lam).
  assert (HL : 0 <= L) by (unfold L; apply Rmult_le_pos; [apply Rmult_le_pos|]; lra).
  pose proof (exp_pos (- L)) as E. split.
  - apply (Rmult_le_reg_r (1 - exp (- (M * lam)))); [exact D|].
    unfold Rdiv. rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra.
    apply (Rmult_le_reg_r lam); [exact Hl|].
    replace ((M + / lam) * (1 - exp (- (M * lam))) * lam) with ((M * lam + 1) * (1 - exp (- (M * lam))))
      by (field; lra).
    assert (0 <= M * lam * exp (- L)) by (apply Rmult_le_pos; lra). lra.
  - eapply Rle_trans; [apply Rmin_r|]. unfold Rdiv. apply Rmult_le_compat_r.
    + left. apply Rinv_0_lt_compat. apply Rmult_lt_0_compat; assumption.
    + apply Rmult_le_compat_l; [lra|]. assert (0 <= L * exp (- L)) by (apply Rmult_le_pos; lra). lra.
Qed.
