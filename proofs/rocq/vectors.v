(* Finite sums, finite vectors (functions on the first n natural numbers) and their l2 norm. *)
From Coq Require Import Reals Lra Lia Psatz.
Open Scope R_scope.

Fixpoint sum (n : nat) (f : nat -> R) : R :=
  match n with O => 0 | S m => sum m f + f m end.

Lemma sum_S n f : sum (S n) f = sum n f + f n.
Proof. reflexivity. Qed.

Lemma sum_first n f : sum (S n) f = f O + sum n (fun i => f (S i)).
Proof. induction n as [|n IH]; [simpl; lra|]. rewrite sum_S, IH. simpl. lra. Qed.

Lemma sum_ext n f g : (forall i, (i < n)%nat -> f i = g i) -> sum n f = sum n g.
Proof. induction n as [|n IH]; intros H; simpl; [|rewrite IH, H]; auto. Qed.

Lemma sum_le n f g : (forall i, (i < n)%nat -> f i <= g i) -> sum n f <= sum n g.
Proof. induction n as [|n IH]; intros H; simpl; [lra|]. apply Rplus_le_compat; auto. Qed.

Lemma sum_zero n : sum n (fun _ => 0) = 0.
Proof. induction n as [|n IH]; simpl; lra. Qed.

Lemma sum_nonneg n f : (forall i, (i < n)%nat -> 0 <= f i) -> 0 <= sum n f.
Proof. intros H. rewrite <- (sum_zero n). apply sum_le. exact H. Qed.

Lemma sum_const n x : sum n (fun _ => x) = INR n * x.
Proof. induction n as [|n IH]; [simpl; lra|]. rewrite sum_S, IH, S_INR. lra. Qed.

Lemma sum_plus n f g : sum n (fun i => f i + g i) = sum n f + sum n g.
Proof. induction n as [|n IH]; simpl; lra. Qed.

Lemma sum_minus n f g : sum n (fun i => f i - g i) = sum n f - sum n g.
Proof. induction n as [|n IH]; simpl; lra. Qed.

Lemma sum_scal n x f : sum n (fun i => x * f i) = x * sum n f.
Proof. induction n as [|n IH]; simpl; [|rewrite IH]; lra. Qed.

Lemma sum_scal_r n x f : sum n (fun i => f i * x) = sum n f * x.
Proof. induction n as [|n IH]; simpl; [|rewrite IH]; lra. Qed.

Lemma sum_abs n f : Rabs (sum n f) <= sum n (fun i => Rabs (f i)).
Proof.
  induction n as [|n IH]; simpl; [rewrite Rabs_R0; lra|].
  eapply Rle_trans; [apply Rabs_triang|lra].
Qed.

Lemma sum_swap m n (f : nat -> nat -> R) : sum m (fun i => sum n (f i)) = sum n (fun j => sum m (fun i => f i j)).
Proof.
  induction m as [|m IH]; simpl; [rewrite sum_zero; reflexivity|].
  rewrite IH, <- sum_plus. reflexivity.
Qed.

Lemma sum_derive n (f f' : nat -> R -> R) x :
  (forall i, (i < n)%nat -> derivable_pt_lim (f i) x (f' i x)) ->
  derivable_pt_lim (fun y => sum n (fun i => f i y)) x (sum n (fun i => f' i x)).
Proof.
  induction n as [|n IH]; intros H; simpl; [apply derivable_pt_lim_const|].
  apply (derivable_pt_lim_plus (fun y => sum n (fun i => f i y)) (f n)); auto.
Qed.

Definition dot (n : nat) (x y : nat -> R) : R := sum n (fun i => x i * y i).
Definition norm (n : nat) (x : nat -> R) : R := sqrt (dot n x x).
Definition minus (x y : nat -> R) (i : nat) : R := x i - y i.

Lemma dot_nonneg n x : 0 <= dot n x x.
Proof. apply sum_nonneg. intros i _. apply Rle_0_sqr. Qed.

Lemma norm_nonneg n x : 0 <= norm n x.
Proof. apply sqrt_pos. Qed.

Lemma norm_sq n x : norm n x * norm n x = dot n x x.
Proof. apply sqrt_sqrt, dot_nonneg. Qed.

Lemma dot_square n x y : dot n x y * dot n x y <= dot n x x * dot n y y.
Proof.
  induction n as [|n IH]; [unfold dot; simpl; lra|]. unfold dot in *. simpl.
  set (P := sum n (fun i => x i * y i)) in *.
  assert (HX : 0 <= sum n (fun i => x i * x i)) by apply (dot_nonneg n x).
  assert (HY : 0 <= sum n (fun i => y i * y i)) by apply (dot_nonneg n y).
  set (X := sum n (fun i => x i * x i)) in *. set (Y := sum n (fun i => y i * y i)) in *.
  set (a := x n). set (b := y n).
  assert (H : 2 * P * a * b <= X * (b * b) + Y * (a * a)).
  { apply Rsqr_incr_0_var.
    - unfold Rsqr. assert (0 <= (a * b) * (a * b)) by apply Rle_0_sqr.
      assert (0 <= (X * (b * b) - Y * (a * a)) * (X * (b * b) - Y * (a * a))) by apply Rle_0_sqr.
      assert (((a * b) * (a * b)) * (P * P) <= ((a * b) * (a * b)) * (X * Y)) by (apply Rmult_le_compat_l; lra).
      nra.
    - pose proof (Rle_0_sqr a). pose proof (Rle_0_sqr b). unfold Rsqr in *. nra. }
  nra.
Qed.

Lemma cauchy_schwarz n x y : dot n x y <= norm n x * norm n y.
Proof.
  apply Rsqr_incr_0_var; [|apply Rmult_le_pos; apply norm_nonneg].
  unfold Rsqr. pose proof (dot_square n x y).
  replace (norm n x * norm n y * (norm n x * norm n y))
    with ((norm n x * norm n x) * (norm n y * norm n y)) by ring.
  rewrite !norm_sq. exact H.
Qed.

Lemma norm_abs n x : norm n (fun i => Rabs (x i)) = norm n x.
Proof.
  unfold norm, dot. f_equal. apply sum_ext. intros i _.
  rewrite <- Rabs_mult, Rabs_right; [reflexivity|apply Rle_ge, Rle_0_sqr].
Qed.

Lemma cauchy_schwarz_abs n x y : sum n (fun i => Rabs (x i * y i)) <= norm n x * norm n y.
Proof.
  rewrite <- (norm_abs n x), <- (norm_abs n y). eapply Rle_trans; [|apply cauchy_schwarz].
  right. apply sum_ext. intros i _. apply Rabs_mult.
Qed.

Lemma norm_le n x y : (forall i, (i < n)%nat -> Rabs (x i) <= y i) -> norm n x <= norm n y.
Proof.
  intros H. apply sqrt_le_1_alt, sum_le. intros i Hi. specialize (H i Hi).
  pose proof (Rabs_pos (x i)).
  rewrite <- (Rabs_right (x i * x i)) by (apply Rle_ge, Rle_0_sqr). rewrite Rabs_mult.
  apply Rmult_le_compat; lra.
Qed.

Lemma norm_scal n a x : 0 <= a -> norm n (fun i => a * x i) = a * norm n x.
Proof.
  intros H. unfold norm. transitivity (sqrt (a * a) * sqrt (dot n x x)); [|rewrite sqrt_square; auto].
  rewrite <- sqrt_mult; [|nra|apply dot_nonneg].
  f_equal. unfold dot. rewrite <- sum_scal. apply sum_ext. intros; ring.
Qed.

Lemma norm_triangle n x y : norm n (fun i => x i + y i) <= norm n x + norm n y.
Proof.
  apply Rsqr_incr_0_var; [|pose proof (norm_nonneg n x); pose proof (norm_nonneg n y); lra].
  unfold Rsqr. rewrite norm_sq. pose proof (cauchy_schwarz n x y).
  assert (E : dot n (fun i => x i + y i) (fun i => x i + y i) = dot n x x + 2 * dot n x y + dot n y y).
  { unfold dot. rewrite <- sum_scal, <- !sum_plus. apply sum_ext. intros; ring. }
  rewrite E, <- (norm_sq n x), <- (norm_sq n y). nra.
Qed.

Lemma norm_zero n : norm n (fun _ => 0) = 0.
Proof. unfold norm, dot. rewrite (sum_ext n _ (fun _ => 0)), sum_zero, sqrt_0; [reflexivity|intros; ring]. Qed.

Lemma norm_ext n x y : (forall i, (i < n)%nat -> x i = y i) -> norm n x = norm n y.
Proof. intros H. unfold norm, dot. f_equal. apply sum_ext. intros i Hi. rewrite H; auto. Qed.

Lemma norm_sum n m (x : nat -> nat -> R) :
  norm n (fun j => sum m (fun i => x i j)) <= sum m (fun i => norm n (x i)).
Proof.
  induction m as [|m IH]; simpl; [rewrite norm_zero; lra|].
  eapply Rle_trans; [apply norm_triangle|lra].
Qed.

(* a matrix of r rows and c columns on a vector, and its spectral norm *)
Definition apply (c : nat) (W : nat -> nat -> R) (x : nat -> R) (i : nat) : R := dot c (W i) x.
Definition spectral (r c : nat) (W : nat -> nat -> R) (B : R) : Prop :=
  forall x, norm r (apply c W x) <= B * norm c x.
Definition minus2 (V W : nat -> nat -> R) (i j : nat) : R := V i j - W i j.
