(* Theory M4.0 and 5.1: what the gates of a sequence add up to when all of them move, each at a rate of its own. *)
From Coq Require Import Reals Lra Lia Psatz.
From Coquelicot Require Rcomplements.
From SsmBounds Require Import vectors sums.
From SsmBounds Require claims.
Open Scope R_scope.

Lemma exp_ge_2 x : 0 <= x -> 1 + x + x ^ 2 / 2 <= exp x.
Proof.
  intros Hx. destruct (Req_dec x 0) as [->|Nx]; [rewrite exp_0; lra|].
  destruct (MVT_cor2 (fun u => exp u - (1 + u + u ^ 2 / 2)) (fun u => exp u - (1 + u)) 0 x) as [u [Hu _]].
  - lra.
  - intros u _. apply derivable_pt_lim_minus; [apply derivable_pt_lim_exp|].
    replace (1 + u) with (0 + 1 + (INR 2 * u ^ (pred 2)) * / 2) by (simpl; field).
    apply (derivable_pt_lim_plus (fun w => 1 + w) (fun w => w ^ 2 / 2)).
    + apply (derivable_pt_lim_plus (fun _ => 1) (fun w => w));
        [apply derivable_pt_lim_const|apply derivable_pt_lim_id].
    + unfold Rdiv. rewrite (Rmult_comm (INR 2 * u ^ pred 2)).
      apply (derivable_pt_lim_ext (fun w => / 2 * w ^ 2)); [intros w; ring|].
      apply (derivable_pt_lim_scal (fun w => w ^ 2)), derivable_pt_lim_pow.
  - pose proof (exp_ineq1_le u). rewrite exp_0 in Hu. nra.
Qed.

Lemma falls_2 y : 0 <= y -> exp (- y) * (1 + y + y ^ 2 / 2) <= 1.
Proof.
  intros Hy. apply Rle_trans with (exp (- y) * exp y); [|rewrite exp_opp; lra].
  apply Rmult_le_compat_l; [left; apply exp_pos|apply exp_ge_2; exact Hy].
Qed.

(* c' = -c: both terms have one sign *)
Lemma same_sign b S t : 0 <= b -> 0 <= S -> S <= t -> (1 + (1 + b) * S) * exp (- (b * t)) <= 1 + S.
Proof.
  intros Hb HS Ht. assert (E : exp (- (b * t)) <= exp (- (b * S))) by (apply exp_le; nra).
  assert (0 <= b * S) by nra. pose proof (area (b * S)). pose proof (exp_pos (- (b * S))).
  assert (0 <= b * S * S) by (apply Rmult_le_pos; lra).
  assert (1 + (1 + b) * S <= (1 + S) * (1 + b * S)) by lra. pose proof (exp_pos (- (b * t))).
  assert ((1 + (1 + b) * S) * exp (- (b * t)) <= ((1 + S) * (1 + b * S)) * exp (- (b * S)))
    by (apply Rmult_le_compat; lra).
  assert ((1 + S) * (exp (- (b * S)) * (1 + b * S)) <= (1 + S) * 1) by (apply Rmult_le_compat_l; lra). lra.
Qed.

(* c' = c: opposite signs *)
Definition nearest (S : R) : R := if Rle_dec S 2 then 1 - S + S ^ 2 / 2 else S - 1.

Lemma opposite b S t : 0 <= b -> 0 <= S -> S <= t -> Rabs (1 - (1 + b) * S) * exp (- (b * t)) <= nearest S.
Proof.
  intros Hb HS Ht. assert (Hw : 0 <= b * S) by nra.
  apply Rle_trans with (Rabs (1 - (1 + b) * S) * exp (- (b * S))).
  { apply Rmult_le_compat_l; [apply Rabs_pos|apply exp_le; nra]. }
  pose proof (exp_pos (- (b * S))) as P.
  assert (L : exp (- (b * S)) <= 1) by (rewrite <- exp_0; apply exp_le; lra).
  replace ((1 + b) * S) with (S + b * S) by ring. set (w := b * S) in *. unfold nearest.
  destruct (Rle_dec 0 (1 - (S + w))) as [A|A].
  - rewrite Rabs_right by lra. destruct (Rle_dec S 2); nra.
  - rewrite Rabs_left by lra. replace (- (1 - (S + w))) with (S - 1 + w) by ring.
    destruct (Rle_dec S 2) as [H2|H2].
    + pose proof (falls_2 w Hw) as F.
      assert (K : S - 1 + w <= (1 - S + S ^ 2 / 2) * (1 + w + w ^ 2 / 2)).
      { set (g := S - 1). replace (1 - S + S ^ 2 / 2) with ((g ^ 2 + 1) / 2) by (unfold g; field).
        assert (0 <= ((1 - g) - (1 + g) * w / 2) ^ 2) by apply pow2_ge_0.
        assert (0 <= ((1 - g) * w) ^ 2) by apply pow2_ge_0. nra. }
      apply (Rmult_le_compat_r _ _ _ (Rlt_le _ _ P)) in K.
      assert (0 <= 1 - S + S ^ 2 / 2) by nra. nra.
    + pose proof (area w). assert (S - 1 + w <= (S - 1) * (1 + w)) by nra. nra.
Qed.

(* what one gate adds, and what tau'^2/2 times the weight gains *)
Lemma potential_same y S : 0 < y -> y * (1 + S) + (S - y) ^ 2 / 2 * exp (- y) - S ^ 2 / 2 <= y + y ^ 2 / 2.
Proof.
  intros Hy. assert (exp (- y) <= 1) by (rewrite <- exp_0; apply exp_le; lra).
  assert (0 <= (S - y) ^ 2) by apply pow2_ge_0. nra.
Qed.

Lemma potential_opposite y S : 0 < y -> 0 <= S ->
  y * nearest S + (S + y) ^ 2 / 2 * exp (- y) - S ^ 2 / 2 <= y + y ^ 2 / 2.
Proof.
  intros Hy HS. pose proof (falls_2 y ltac:(lra)) as F. pose proof (exp_pos (- y)) as P.
  pose proof (exp_ineq1_le (- y)) as Q. set (e := exp (- y)) in *. unfold nearest.
  assert (L : e <= 1) by (unfold e; rewrite <- exp_0; apply exp_le; lra).
  destruct (Rle_dec S 2) as [H2|H2].
  - (* convex in S: below the chord from 0 to 2 *)
    assert (at0 : y ^ 2 / 2 * e - y ^ 2 / 2 <= 0) by nra.
    assert (at2 : (2 + y) ^ 2 / 2 * e - 2 - y ^ 2 / 2 <= 0).
    { apply (Rmult_le_reg_r (1 + y + y ^ 2 / 2)); [nra|].
      assert ((2 + y) ^ 2 / 2 * (e * (1 + y + y ^ 2 / 2)) <= (2 + y) ^ 2 / 2 * 1)
        by (apply Rmult_le_compat_l; [nra|exact F]).
      assert (0 <= y ^ 2) by apply pow2_ge_0. assert (0 <= y ^ 3) by (apply pow_le; lra).
      assert (0 <= y ^ 4) by (apply pow_le; lra). nra. }
    assert (0 <= (1 - S / 2) * - (y ^ 2 / 2 * e - y ^ 2 / 2)) by (apply Rmult_le_pos; lra).
    assert (0 <= S / 2 * - ((2 + y) ^ 2 / 2 * e - 2 - y ^ 2 / 2)) by (apply Rmult_le_pos; lra).
    assert (0 <= (y - 1 + e) / 2 * (S * (2 - S))) by (apply Rmult_le_pos; [lra|nra]).
    nra.
  - assert (K : (S + y) ^ 2 * e <= (S - y) ^ 2 + 4 * y).
    { apply (Rmult_le_reg_r (1 + y + y ^ 2 / 2)); [nra|].
      assert ((S + y) ^ 2 * (e * (1 + y + y ^ 2 / 2)) <= (S + y) ^ 2 * 1)
        by (apply Rmult_le_compat_l; [apply pow2_ge_0|exact F]).
      assert (4 * (S - 1) * (1 + y) <= (S + y) ^ 2).
      { replace ((S + y) ^ 2) with (4 * (S - 1) * (1 + y) + (S - 2 - y) ^ 2) by ring.
        pose proof (pow2_ge_0 (S - 2 - y)). lra. }
      assert (4 * (S - 1) * (1 + y) * (1 + y / 2) <= (S + y) ^ 2 * (1 + y / 2)) by (apply Rmult_le_compat_r; lra).
      assert (0 <= (S - 1) * (y * y)) by (apply Rmult_le_pos; nra).
      assert (0 <= y * ((S + y) ^ 2 * (1 + y / 2) - 4 * (S - 1) * (1 + y + y ^ 2 / 2)))
        by (apply Rmult_le_pos; nra).
      nra. }
    nra.
Qed.

Lemma one_gate_up y x S b t : 0 < y -> -1 <= x <= 1 -> 0 <= S -> S <= t -> 0 <= b ->
  y * (Rabs (x - (1 + b) * S) * exp (- (b * t))) + (S + x * y) ^ 2 / 2 * exp (- y) - S ^ 2 / 2 <= y + y ^ 2 / 2.
Proof.
  intros Hy Hx HS Ht Hb.
  pose proof (same_sign b S t Hb HS Ht) as A. pose proof (opposite b S t Hb HS Ht) as B.
  pose proof (potential_same y S Hy) as PA. pose proof (potential_opposite y S Hy HS) as PB.
  pose proof (exp_pos (- (b * t))) as P. pose proof (exp_pos (- y)) as Q.
  set (r := (1 + b) * S) in *. set (k := exp (- (b * t))) in *. set (e := exp (- y)) in *.
  assert (Hr : 0 <= r) by (unfold r; nra).
  (* both terms are convex in x: below the chord from -1 to 1 *)
  assert (C1 : Rabs (x - r) <= (1 - x) / 2 * (1 + r) + (1 + x) / 2 * Rabs (1 - r)).
  { replace (x - r) with ((1 - x) / 2 * (- (1 + r)) + (1 + x) / 2 * (1 - r)) by field.
    eapply Rle_trans; [apply Rabs_triang|]. rewrite !Rabs_mult, Rabs_Ropp.
    rewrite (Rabs_right ((1 - x) / 2)), (Rabs_right ((1 + x) / 2)), (Rabs_right (1 + r)) by lra. lra. }
  assert (C2 : (S + x * y) ^ 2 <= (1 - x) / 2 * (S - y) ^ 2 + (1 + x) / 2 * (S + y) ^ 2).
  { assert (0 <= (1 - x) * (1 + x) * y ^ 2) by (apply Rmult_le_pos; [nra|apply pow2_ge_0]). nra. }
  assert (C3 : y * (Rabs (x - r) * k) <= (1 - x) / 2 * (y * (1 + S)) + (1 + x) / 2 * (y * nearest S)).
  { apply Rle_trans with (y * (((1 - x) / 2 * (1 + r) + (1 + x) / 2 * Rabs (1 - r)) * k)).
    { apply Rmult_le_compat_l; [lra|]. apply Rmult_le_compat_r; lra. }
    assert ((1 - x) / 2 * ((1 + r) * k) <= (1 - x) / 2 * (1 + S)) by (apply Rmult_le_compat_l; lra).
    assert ((1 + x) / 2 * (Rabs (1 - r) * k) <= (1 + x) / 2 * nearest S) by (apply Rmult_le_compat_l; lra).
    replace (y * (((1 - x) / 2 * (1 + r) + (1 + x) / 2 * Rabs (1 - r)) * k))
      with (y * ((1 - x) / 2 * ((1 + r) * k) + (1 + x) / 2 * (Rabs (1 - r) * k))) by ring.
    replace ((1 - x) / 2 * (y * (1 + S)) + (1 + x) / 2 * (y * nearest S))
      with (y * ((1 - x) / 2 * (1 + S) + (1 + x) / 2 * nearest S)) by ring.
    apply Rmult_le_compat_l; lra. }
  assert (C4 : (S + x * y) ^ 2 / 2 * e <= ((1 - x) / 2 * (S - y) ^ 2 + (1 + x) / 2 * (S + y) ^ 2) / 2 * e)
    by (apply Rmult_le_compat_r; lra).
  apply (Rmult_le_compat_l ((1 - x) / 2)) in PA; [|lra]. apply (Rmult_le_compat_l ((1 + x) / 2)) in PB; [|lra].
  nra.
Qed.

Lemma one_gate y x S b t : 0 < y -> -1 <= x <= 1 -> Rabs S <= t -> 0 <= b ->
  y * (Rabs (x - (1 + b) * S) * exp (- (b * t))) + (S + x * y) ^ 2 / 2 * exp (- y) - S ^ 2 / 2 <= y + y ^ 2 / 2.
Proof.
  intros Hy Hx Ht Hb. destruct (Rle_dec 0 S) as [H|H].
  - rewrite Rabs_right in Ht by lra. apply one_gate_up; assumption.
  - rewrite Rabs_left in Ht by lra.
    pose proof (one_gate_up y (- x) (- S) b t Hy ltac:(lra) ltac:(lra) Ht Hb) as K.
    replace (- x - (1 + b) * - S) with (- (x - (1 + b) * S)) in K by ring. rewrite Rabs_Ropp in K.
    replace ((- S + - x * y) ^ 2) with ((S + x * y) ^ 2) in K by ring.
    replace ((- S) ^ 2) with (S ^ 2) in K by ring. exact K.
Qed.

(* a sequence that moves: c' the derivatives of the gates, tau c' those of the gated times *)
Definition moves (c c' : nat -> R) (T : nat) : Prop := forall i, (i < T)%nat -> Rabs (c' i) <= c i.

Lemma tau_moves c c' T : moves c c' T -> Rabs (tau c' T) <= tau c T.
Proof.
  intros H. unfold tau. eapply Rle_trans; [apply sum_abs|]. apply sum_le. exact H.
Qed.

(* the slope of one gate at a rate a *)
Definition slope (c c' : nat -> R) (a : R) (i : nat) : R :=
  Rabs (c' i + a * tau c' i * c i) * exp (a * tau c i).

Lemma slope_in_units lam c c' b i : 0 < lam -> 0 < c i ->
  lam * slope c c' (- ((1 + b) * lam)) i
  = (lam * c i) * (Rabs (c' i / c i - (1 + b) * (lam * tau c' i)) * exp (- (b * (lam * tau c i))))
    * exp (- (lam * tau c i)).
Proof.
  intros Hl Hc. unfold slope. rewrite <- (Rabs_right lam) at 1 by lra. rewrite <- (Rabs_right (lam * c i)) by nra.
  replace (- ((1 + b) * lam) * tau c i) with (- (b * (lam * tau c i)) + - (lam * tau c i)) by ring.
  rewrite exp_plus, <- !Rmult_assoc, <- !Rabs_mult. do 3 f_equal. field. lra.
Qed.

Lemma potential_sum lam M c c' W T : 0 < lam -> gated M c T -> moves c c' T ->
  (forall i, (i < T)%nat -> exists a, a <= - lam /\ W i <= slope c c' a i) ->
  lam * sum T W + (lam * tau c' T) ^ 2 / 2 * exp (- (lam * tau c T))
  <= sum T (fun i => (lam * c i + (lam * c i) ^ 2 / 2) * exp (- (lam * tau c i))).
Proof.
  intros Hl. induction T as [|T IH]; intros G D H.
  - unfold tau; simpl. rewrite !Rmult_0_r. simpl. lra.
  - specialize (IH (fun i Hi => G i ltac:(lia)) (fun i Hi => D i ltac:(lia)) (fun i Hi => H i ltac:(lia))).
    destruct (G T ltac:(lia)) as [c0 cM]. pose proof (D T ltac:(lia)) as DT.
    destruct (H T ltac:(lia)) as [a [Ha HW]].
    pose proof (tau_moves c c' T (fun i Hi => D i ltac:(lia))) as Hm.
    set (b := - a / lam - 1).
    assert (Hb : 0 <= b).
    { unfold b. assert (1 <= - a / lam); [|lra]. apply (Rmult_le_reg_r lam); [lra|].
      unfold Rdiv. rewrite Rmult_assoc, Rinv_l by lra. lra. }
    assert (Ea : a = - ((1 + b) * lam)) by (unfold b; field; lra).
    apply (Rmult_le_compat_l lam) in HW; [|lra]. rewrite Ea, slope_in_units in HW by assumption.
    assert (Hx : -1 <= c' T / c T <= 1).
    { apply Rcomplements.Rabs_le_between. unfold Rdiv. rewrite Rabs_mult, Rabs_inv, (Rabs_right (c T)) by lra.
      apply (Rmult_le_reg_r (c T)); [lra|]. rewrite Rmult_assoc, Rinv_l by lra. lra. }
    assert (Ht : Rabs (lam * tau c' T) <= lam * tau c T)
      by (rewrite Rabs_mult, Rabs_right by lra; apply Rmult_le_compat_l; lra).
    pose proof (one_gate (lam * c T) _ _ b (lam * tau c T) ltac:(nra) Hx Ht Hb) as K.
    rewrite !sum_S, !tau_S, exp_split. pose proof (exp_pos (- (lam * tau c T))) as P.
    replace (lam * tau c' T + c' T / c T * (lam * c T)) with (lam * (tau c' T + c' T)) in K by (field; lra).
    apply (Rmult_le_compat_r _ _ _ (Rlt_le _ _ P)) in K.
    set (m := Rabs (c' T / c T - (1 + b) * (lam * tau c' T)) * exp (- (b * (lam * tau c T)))) in *.
    set (e := exp (- (lam * tau c T))) in *. set (f := exp (- (lam * c T))) in *. nra.
Qed.

Lemma slope_first lam c c' a T i : 0 <= lam -> (forall i, (i < T)%nat -> 0 < c i) -> moves c c' T -> (i < T)%nat ->
  a <= - lam -> slope c c' a i <= c i * (1 + lam * tau c i) * exp (- (lam * tau c i)).
Proof.
  intros Hl Hc D Hi Ha. unfold slope.
  pose proof (D i Hi) as Di. pose proof (tau_moves c c' i (fun j Hj => D j ltac:(lia))) as Hm.
  pose proof (Hc i Hi). set (t := tau c i) in *. pose proof (Rabs_pos (tau c' i)).
  assert (A : Rabs (c' i + a * tau c' i * c i) <= c i * (1 + - a * t)).
  { eapply Rle_trans; [apply Rabs_triang|]. rewrite !Rabs_mult, (Rabs_left1 a), (Rabs_right (c i)) by lra.
    assert (- a * Rabs (tau c' i) <= - a * t) by (apply Rmult_le_compat_l; lra). nra. }
  assert (B : (1 + - a * t) * exp (a * t) <= (1 + lam * t) * exp (- (lam * t))).
  { replace (a * t) with (- (lam * t) + - ((- a - lam) * t)) by ring. rewrite exp_plus.
    pose proof (area ((- a - lam) * t)) as K. pose proof (exp_pos (- (lam * t))) as P.
    assert (Hh : 0 <= (- a - lam) * t) by (apply Rmult_le_pos; lra).
    assert (L : exp (- ((- a - lam) * t)) <= 1) by (rewrite <- exp_0; apply exp_le; lra).
    assert (0 <= lam * t) by (apply Rmult_le_pos; lra).
    replace (1 + - a * t) with (1 + (- a - lam) * t + lam * t) by ring.
    set (q := exp (- ((- a - lam) * t))) in *. set (h := (- a - lam) * t) in *.
    assert ((1 + h + lam * t) * q <= 1 + lam * t) by nra. nra. }
  pose proof (exp_pos (a * t)). apply Rle_trans with (c i * (1 + - a * t) * exp (a * t)).
  - apply Rmult_le_compat_r; lra.
  - rewrite !Rmult_assoc. apply Rmult_le_compat_l; lra.
Qed.

(* the largest slopes over any rates at or below -lam, W_i at most one of them for each i *)
Lemma slopes_both lam M c c' W T : 0 < lam -> 0 < M -> gated M c T -> moves c c' T ->
  (forall i, (i < T)%nat -> exists a, a <= - lam /\ W i <= slope c c' a i) ->
  sum T W <= S_1 (- lam) c T + lam * S_2 (- lam) c T /\ sum T W <= (1 + lam * M / 2) * S_1 (- lam) c T.
Proof.
  intros Hl HM G D H. split.
  - unfold S_1, S_2. rewrite <- sum_scal, <- sum_plus. apply sum_le. intros i Hi. destruct (H i Hi) as [a [Ha HW]].
    eapply Rle_trans; [exact HW|]. eapply Rle_trans.
    + apply (slope_first lam c c' a T i); try assumption; [lra|intros j Hj; apply (G j Hj)].
    + right. replace (- lam * tau c i) with (- (lam * tau c i)) by ring. ring.
  - pose proof (potential_sum lam M c c' W T Hl G D H) as K.
    assert (0 <= (lam * tau c' T) ^ 2 / 2 * exp (- (lam * tau c T))).
    { apply Rmult_le_pos; [|left; apply exp_pos]. pose proof (pow2_ge_0 (lam * tau c' T)). lra. }
    apply (Rmult_le_reg_l lam); [exact Hl|]. unfold S_1. rewrite <- !sum_scal.
    apply Rle_trans with (lam * sum T W); [rewrite sum_scal; lra|].
    eapply Rle_trans; [eapply Rle_trans; [|exact K]; lra|]. apply sum_le. intros i Hi. destruct (G i Hi) as [c0 cM].
    replace (- lam * tau c i) with (- (lam * tau c i)) by ring. pose proof (exp_pos (- (lam * tau c i))) as P.
    rewrite <- !Rmult_assoc. apply Rmult_le_compat_r; [lra|].
    assert (lam * c i * (lam * c i) <= lam * M * (lam * c i)) by (apply Rmult_le_compat_r; nra). nra.
Qed.

(* M4.0, in units of lambda as the statement 5.1-gate has it, a rate a_i <= -lambda at each gate *)
Theorem gate_lemma lam M c c' (a : nat -> R) T :
  0 < lam -> 0 < M -> gated M c T -> moves c c' T -> (forall i, (i < T)%nat -> a i <= - lam) ->
  claims.s5_1_gate.conclusion
    (sum T (fun i => lam * c i * exp (- (lam * tau c i))))
    (sum T (fun i => lam * c i * (lam * tau c i) * exp (- (lam * tau c i))))
    (lam * sum T (fun i => Rabs (c' i + a i * tau c' i * c i) * exp (a i * tau c i)))
    (lam * M).
Proof.
  intros Hl HM G D Ha. unfold claims.s5_1_gate.conclusion.
  destruct (slopes_both lam M c c' (fun i => slope c c' (a i) i) T Hl HM G D) as [A B].
  { intros i Hi. exists (a i). split; [apply Ha, Hi|lra]. }
  assert (E1 : sum T (fun i => lam * c i * exp (- (lam * tau c i))) = lam * S_1 (- lam) c T).
  { unfold S_1. rewrite <- sum_scal. apply sum_ext. intros i _.
    replace (- lam * tau c i) with (- (lam * tau c i)) by ring. ring. }
  assert (E2 : sum T (fun i => lam * c i * (lam * tau c i) * exp (- (lam * tau c i))) = lam * (lam * S_2 (- lam) c T)).
  { unfold S_2. rewrite <- !sum_scal. apply sum_ext. intros i _.
    replace (- lam * tau c i) with (- (lam * tau c i)) by ring. ring. }
  rewrite E1, E2. unfold slope in A, B. apply Rmin_glb.
  - replace (lam * S_1 (- lam) c T * (lam * M / 2 + 1)) with (lam * ((1 + lam * M / 2) * S_1 (- lam) c T)) by field.
    apply Rmult_le_compat_l; lra.
  - rewrite <- Rmult_plus_distr_l. apply Rmult_le_compat_l; lra.
Qed.
