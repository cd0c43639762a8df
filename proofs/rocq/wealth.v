(* Theory 8.5, 8.6, 8.7 and 8.10: the algebra of wealth. *)
From Coq Require Import Reals Lra Lia Psatz.
From Coquelicot Require Import Coquelicot.
From SsmBounds Require vectors sums claims.
Open Scope R_scope.

Lemma ln_le_minus_1 x : 0 < x -> ln x <= x - 1.
Proof. intros H. pose proof (exp_ineq1_le (ln x)). rewrite exp_ln in *; lra. Qed.

Lemma ln_le_ln x y : 0 < x -> x <= y -> ln x <= ln y.
Proof. intros H L. destruct (Req_dec x y) as [->|N]; [lra|]. left. apply ln_increasing; lra. Qed.

(* 8.6: the concavity step *)
Theorem concave n (u : nat -> R) m : 0 < m -> (forall i, (i < n)%nat -> 0 < u i) ->
  claims.s8_6_concave.conclusion (vectors.sum n (fun i => ln (u i / m))) (vectors.sum n u) m (INR n).
Proof.
  intros Hm H. unfold claims.s8_6_concave.conclusion.
  apply Rle_trans with (vectors.sum n (fun i => u i * / m - 1)).
  - apply vectors.sum_le. intros i Hi. apply ln_le_minus_1, Rdiv_lt_0_compat; auto.
  - rewrite (vectors.sum_minus n (fun i => u i * / m) (fun _ => 1)), vectors.sum_scal_r, vectors.sum_const. lra.
Qed.

(* 8.5, the algebra: where the wealth stays below its level, the mean loss is below the bound *)
Theorem solved n (D : nat -> R) b lambda R_ pi delta : (0 < n)%nat -> 0 < lambda -> 0 < pi -> 0 < delta -> R_ <= b ->
  (forall i, (i < n)%nat -> D i <= b) ->
  let A := vectors.sum n (fun i => ln (1 + lambda * (b - D i))) / INR n in
  let K := ln (1 / pi) + ln (1 / delta) in
  exp (vectors.sum n (fun i => ln (1 + lambda * (b - D i)))) < (1 + lambda * (b - R_)) ^ n / (delta * pi) ->
  R_ < b - (exp (A - K / INR n) - 1) / lambda.
Proof.
  intros Hn Hl Hp Hd HR H A K HW. pose proof (lt_0_INR n Hn) as Pn.
  assert (V : 0 < 1 + lambda * (b - R_)) by (assert (0 <= lambda * (b - R_)) by (apply Rmult_le_pos; lra); lra).
  assert (E : exp (A - K / INR n) < 1 + lambda * (b - R_)).
  { rewrite <- (exp_ln (1 + lambda * (b - R_))) by exact V. apply exp_increasing.
    apply (Rmult_lt_reg_l (INR n)); [exact Pn|].
    replace (INR n * (A - K / INR n)) with (vectors.sum n (fun i => ln (1 + lambda * (b - D i))) - K)
      by (unfold A; field; lra).
    apply ln_increasing in HW; [|apply exp_pos]. rewrite ln_exp in HW. unfold Rdiv in HW.
    assert (0 < delta * pi) by (apply Rmult_lt_0_compat; assumption).
    rewrite ln_mult, ln_Rinv, ln_mult in HW; try assumption; [|apply pow_lt, V|apply Rinv_0_lt_compat; assumption].
    rewrite ln_pow in HW by exact V. unfold K, Rdiv. rewrite !Rmult_1_l, !ln_Rinv by assumption. lra. }
  apply (Rmult_lt_reg_l lambda); [exact Hl|].
  replace (lambda * (b - (exp (A - K / INR n) - 1) / lambda)) with (lambda * b - exp (A - K / INR n) + 1)
    by (field; lra). lra.
Qed.

(* 8.5: the floor *)
Theorem floor n (D : nat -> R) b lambda t : (0 < n)%nat -> 0 < lambda -> 0 < t -> claims.s8_5_floor.hypothesis_1 t ->
  (forall i, (i < n)%nat -> D i <= b) ->
  claims.s8_5_floor.conclusion
    (exp (vectors.sum n (fun i => ln (1 + lambda * (b - D i))) / INR n)) b lambda (vectors.sum n D / INR n) t.
Proof.
  intros Hn Hl Ht H1 H. unfold claims.s8_5_floor.conclusion, claims.s8_5_floor.hypothesis_1 in *.
  pose proof (lt_0_INR n Hn) as Pn. set (q := vectors.sum n D / INR n).
  set (u := fun i => 1 + lambda * (b - D i)).
  assert (Hu : forall i, (i < n)%nat -> 0 < u i).
  { intros i Hi. specialize (H i Hi). unfold u. assert (0 <= lambda * (b - D i)) by (apply Rmult_le_pos; lra). lra. }
  assert (Eu : vectors.sum n u = INR n * (1 + lambda * (b - q))).
  { unfold u. rewrite (vectors.sum_ext n _ (fun i => (1 + lambda * b) - lambda * D i)) by (intros; ring).
    rewrite (vectors.sum_minus n (fun _ => 1 + lambda * b)), vectors.sum_const, vectors.sum_scal.
    unfold q. field. lra. }
  assert (Q : q <= b).
  { unfold q. apply (Rmult_le_reg_r (INR n)); [exact Pn|]. unfold Rdiv.
    rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra.
    rewrite Rmult_comm, <- vectors.sum_const. apply vectors.sum_le. exact H. }
  assert (Pm : 0 < 1 + lambda * (b - q)) by (assert (0 <= lambda * (b - q)) by (apply Rmult_le_pos; lra); lra).
  pose proof (concave n u (1 + lambda * (b - q)) Pm Hu) as C. unfold claims.s8_6_concave.conclusion in C.
  rewrite Eu in C. replace (INR n * (1 + lambda * (b - q)) / (1 + lambda * (b - q)) - INR n) with 0 in C
    by (field; lra).
  rewrite (vectors.sum_ext n _ (fun i => ln (u i) - ln (1 + lambda * (b - q)))) in C.
  2: { intros i Hi. unfold Rdiv. rewrite ln_mult, ln_Rinv; [ring|exact Pm|apply Hu, Hi|apply Rinv_0_lt_compat, Pm]. }
  rewrite (vectors.sum_minus n (fun i => ln (u i))), vectors.sum_const in C.
  set (a := exp (vectors.sum n (fun i => ln (u i)) / INR n)).
  assert (La : a <= 1 + lambda * (b - q)).
  { unfold a. rewrite <- (exp_ln (1 + lambda * (b - q))) by exact Pm. apply sums.exp_le.
    apply (Rmult_le_reg_r (INR n)); [exact Pn|]. unfold Rdiv.
    rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra. lra. }
  change (b - (a * t - 1) / lambda >= q + (1 - t) * (b - q)).
  apply Rle_ge. apply (Rmult_le_reg_l lambda); [exact Hl|].
  replace (lambda * (b - (a * t - 1) / lambda)) with (lambda * b - a * t + 1) by (field; lra).
  assert (a * t <= (1 + lambda * (b - q)) * t) by (apply Rmult_le_compat_r; lra). lra.
Qed.

(* 8.5: every pair of weights and bet at once. Premises: the chance of a union, Markov's inequality, the mean of a
   product (for i.i.d. rows, or at most that by Maclaurin) *)
Theorem union (one mean_W power mass : nat -> R) P delta :
  0 < delta -> (forall n, 0 < power n /\ 0 <= mass n) ->
  (forall n, 0 <= one n <= mean_W n / (power n / (delta * mass n))) ->
  (forall n, mean_W n <= power n) -> ex_series mass ->
  claims.s8_5.hypothesis_1 (Series mass) -> P <= Series one -> claims.s8_5.conclusion P delta.
Proof.
  intros Hd Hp H HW Hm H1 HP. unfold claims.s8_5.conclusion, claims.s8_5.hypothesis_1 in *.
  assert (L : forall n, 0 <= one n <= delta * mass n).
  { intros n. destruct (H n) as [A B]. destruct (Hp n) as [C D]. specialize (HW n). split; [exact A|].
    eapply Rle_trans; [exact B|]. destruct (Req_dec (mass n) 0) as [Z|Z].
    - rewrite Z, Rmult_0_r. unfold Rdiv. rewrite Rinv_0, !Rmult_0_r, Rinv_0, Rmult_0_r. lra.
    - replace (mean_W n / (power n / (delta * mass n))) with (mean_W n / power n * (delta * mass n)) by (field; lra).
      assert (mean_W n / power n <= 1).
      { apply (Rmult_le_reg_r (power n)); [exact C|]. unfold Rdiv. rewrite Rmult_assoc, Rinv_l by lra. lra. }
      assert (0 <= delta * mass n) by (apply Rmult_le_pos; lra).
      assert (mean_W n / power n * (delta * mass n) <= 1 * (delta * mass n)) by (apply Rmult_le_compat_r; lra). lra. }
  assert (Series one <= Series (fun n => delta * mass n)).
  { apply Series_le; [exact L|]. apply (ex_series_scal_l delta mass Hm). }
  rewrite Series_scal_l in *. assert (delta * Series mass <= delta * 1) by (apply Rmult_le_compat_l; lra). lra.
Qed.

(* 8.7 *)
Theorem rising : claims.s8_7_rising.claim.
Proof.
  unfold claims.s8_7_rising.claim, claims.s8_7_rising.conclusion, claims.s8_7_rising.hypothesis_1,
    claims.s8_7_rising.hypothesis_2, claims.s8_7_rising.hypothesis_3, claims.s8_7_rising.hypothesis_4,
    claims.s8_7_rising.hypothesis_5. intros T b nu q r s t HT Hnu Ht A B C D F.
  apply (Rmult_le_reg_r ((b - q) * (b - r))); [apply Rmult_lt_0_compat; lra|].
  replace ((s - q * t) / (b - q) * ((b - q) * (b - r))) with ((s - q * t) * (b - r)) by (field; lra).
  replace ((s - r * t) / (b - r) * ((b - q) * (b - r))) with ((s - r * t) * (b - q)) by (field; lra).
  assert (0 <= (b * t - s) * (q - r)) by (apply Rmult_le_pos; lra). lra.
Qed.

(* 8.10 *)
Theorem mixture : claims.s8_10.claim.
Proof.
  intros alpha beta x Ha Hb Hx. unfold claims.s8_10.conclusion. apply Ropp_le_contravar, ln_le_ln; [exact Ha|].
  assert (0 <= beta * x) by (apply Rmult_le_pos; lra). lra.
Qed.

(* what grows from 0 stays above 0 *)
Lemma grows (f f' : R -> R) x : 0 <= x -> f 0 = 0 ->
  (forall v, 0 <= v -> is_derive f v (f' v)) -> (forall v, 0 <= v -> 0 <= f' v) -> 0 <= f x.
Proof.
  intros Hx H0 Hd Hf. destruct (Req_dec x 0) as [->|N]; [lra|].
  destruct (MVT_cor2 f f' 0 x) as [v [E Hv]]; [lra|intros v Hv; apply is_derive_Reals, Hd; lra|].
  specialize (Hf v ltac:(lra)). assert (0 <= f' v * (x - 0)) by (apply Rmult_le_pos; lra). lra.
Qed.

(* 8.5: Catoni's form *)
Theorem catoni : claims.s8_5_catoni.claim.
Proof.
  intros lambda v Hl Hv H1. unfold claims.s8_5_catoni.conclusion, claims.s8_5_catoni.hypothesis_1 in *.
  apply Rle_ge. cut (0 <= ln (lambda * v + 1) - v * ln (lambda + 1)); [lra|].
  apply (grows (fun l => ln (l * v + 1) - v * ln (l + 1)) (fun l => v / (l * v + 1) - v / (l + 1)) lambda Hl).
  - rewrite Rmult_0_l, Rplus_0_l, ln_1. ring.
  - intros l L. assert (0 <= l * v) by (apply Rmult_le_pos; lra). auto_derive; [lra|field; lra].
  - intros l L. assert (0 <= l * v) by (apply Rmult_le_pos; lra).
    replace (v / (l * v + 1) - v / (l + 1)) with (v * (l * (1 - v)) / ((l * v + 1) * (l + 1))) by (field; lra).
    apply Rdiv_le_0_compat; [apply Rmult_le_pos; [lra|apply Rmult_le_pos; lra]|apply Rmult_lt_0_compat; lra].
Qed.

(* 8.6: the empirical Bernstein form *)
Theorem bernstein : claims.s8_6_bernstein.claim.
Proof.
  intros v w Hv Hw. unfold claims.s8_6_bernstein.conclusion. apply Rle_ge.
  cut (0 <= ln (v * w + 1) - ln (v + 1) - (v * (w - 1) / (v + 1) - (w - 1) ^ 2 * (ln (v + 1) - v / (v + 1)))); [lra|].
  apply (grows (fun x => ln (x * w + 1) - ln (x + 1) - (x * (w - 1) / (x + 1) - (w - 1) ^ 2 * (ln (x + 1) - x / (x + 1))))
    (fun x => (w - 1) ^ 2 * x * (x * w) / ((x + 1) ^ 2 * (x * w + 1))) v Hv).
  - rewrite Rmult_0_l, Rplus_0_l, ln_1. field.
  - intros x X. assert (0 <= x * w) by (apply Rmult_le_pos; lra). auto_derive; [lra|field; lra].
  - intros x X. assert (0 <= x * w) by (apply Rmult_le_pos; lra).
    apply Rdiv_le_0_compat; [|apply Rmult_lt_0_compat; [apply pow_lt; lra|lra]].
    apply Rmult_le_pos; [apply Rmult_le_pos; [apply pow2_ge_0|lra]|assumption].
Qed.
