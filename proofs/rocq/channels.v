(* Theory 1 and 5: the model in its unrolled form (U), and how far its channels move.
   d channels, N states a channel, k outputs, T tokens u_0, u_1, ..., the most recent first, v the token of W_C. *)
From Coq Require Import Reals Lra Lia Psatz.
From Coquelicot Require Coquelicot.
From SsmBounds Require Import vectors sums gates slopes.
From SsmBounds Require claims.
Open Scope R_scope.

Record model := {
  A : nat -> nat -> R;  (* a_jn, channel j, state n *)
  W_B : nat -> nat -> R;  (* N x d *)
  W_C : nat -> nat -> R;  (* N x d *)
  W : nat -> nat -> R;  (* k x d *)
  p : R;
  q : nat -> R
}.

Definition logit (d : nat) (m : model) (u : nat -> nat -> R) (i : nat) : R := p m + dot d (q m) (u i).
Definition gate (d : nat) (m : model) (u : nat -> nat -> R) (i : nat) : R := softplus (logit d m u i).

(* the output of channel j: weights om_ijn, inputs u_ij b_in, read by C *)
Definition channel (N T : nat) (C : nat -> R) (om : nat -> nat -> nat -> R) (u b : nat -> nat -> R) (j : nat) : R :=
  sum N (fun n => C n * sum T (fun i => om i j n * (u i j * b i n))).
Definition weight (a c : nat -> R) (i : nat) (r : R) : R := exp (r * tau a i) * c i.
Definition weights (a : nat -> nat -> R) (c : nat -> R) (i j n : nat) : R := exp (a j n * tau c i) * c i.

(* z = W y, y_j = sum_n (W_C v)_n sum_i e^{a_jn tau_i} c_i u_ij (W_B u_i)_n *)
Definition output (d N T : nat) (m : model) (u : nat -> nat -> R) (v : nat -> R) : nat -> R :=
  apply d (W m) (channel N T (apply d (W_C m) v) (weights (A m) (gate d m u)) u (fun i => apply d (W_B m) (u i))).

(* the recurrence of theory 1 for one entry, tokens in their order: x_(t+1) = e^(Delta_t a) x_t + Delta_t b_t, x_0 = 0 *)
Fixpoint state (a : R) (c b : nat -> R) (t : nat) : R :=
  match t with O => 0 | S t => exp (c t * a) * state a c b t + c t * b t end.

Lemma state_unrolled a c b T :
  let latest := fun i => c (T - 1 - i)%nat in
  state a c b T = sum T (fun i => exp (a * tau latest i) * latest i * b (T - 1 - i)%nat).
Proof.
  induction T as [|T IH]; intros latest; [reflexivity|]. unfold latest. simpl state. rewrite sum_first, IH, <- sum_scal.
  rewrite Rplus_comm. apply f_equal2.
  - unfold tau; simpl. rewrite Rmult_0_r, exp_0. replace (T - 0 - 0)%nat with T by lia. ring.
  - apply sum_ext. intros i _. replace (S T - 1 - S i)%nat with (T - 1 - i)%nat by lia.
    assert (E : tau (fun i => c (S T - 1 - i)%nat) (S i) = c T + tau (fun i => c (T - 1 - i)%nat) i).
    { unfold tau. rewrite sum_first. f_equal; [f_equal; lia|]. apply sum_ext. intros k _. f_equal. lia. }
    rewrite E, Rmult_plus_distr_l, exp_plus, (Rmult_comm a (c T)). ring.
Qed.

(* tokens w_0, ..., w_(T-1) in their order *)
Theorem unrolled d N T (m : model) (w : nat -> nat -> R) v o :
  output d N T m (fun i => w (T - 1 - i)%nat) v o
  = apply d (W m) (fun j => dot N (apply d (W_C m) v)
      (fun n => state (A m j n) (gate d m w) (fun t => w t j * apply d (W_B m) (w t) n) T)) o.
Proof.
  unfold output, apply at 1 5, dot at 1 2. apply sum_ext. intros j _. f_equal. unfold channel, dot. apply sum_ext.
  intros n _. f_equal. rewrite state_unrolled. reflexivity.
Qed.

(* the class of theory 1, with every gate at most M *)
Definition in_class (d N k T : nat) (B_B B_C B_w M s_A : R) (u : nat -> nat -> R) (m : model) : Prop :=
  spectral N d (W_B m) B_B /\ spectral N d (W_C m) B_C /\ spectral k d (W m) B_w /\
  (forall j n, (j < d)%nat -> (n < N)%nat -> A m j n <= s_A) /\
  (forall i, (i < T)%nat -> gate d m u i <= M).

(* R_1 and R_2: at least the two sums of every sequence of gates, as 4.5 bounds them *)
Definition sums_below (T : nat) (M s_A R_1 R_2 : R) : Prop :=
  forall c, gated M c T -> S_1 s_A c T <= R_1 /\ S_2 s_A c T <= R_2.

Lemma swapped N T C om u b j :
  channel N T C om u b j = sum T (fun i => u i j * sum N (fun n => C n * (om i j n * b i n))).
Proof.
  unfold channel. transitivity (sum N (fun n => sum T (fun i => u i j * (C n * (om i j n * b i n))))).
  - apply sum_ext. intros n _. rewrite <- sum_scal. apply sum_ext. intros i _. ring.
  - rewrite sum_swap. apply sum_ext. intros i _. apply sum_scal.
Qed.

Lemma channel_norm d N T C om u b (Om : nat -> R) :
  (forall i, (i < T)%nat -> 0 <= Om i) ->
  (forall i j n, (i < T)%nat -> (j < d)%nat -> (n < N)%nat -> Rabs (om i j n) <= Om i) ->
  norm d (channel N T C om u b) <= norm N C * sum T (fun i => Om i * (norm d (u i) * norm N (b i))).
Proof.
  intros H0 H. rewrite (norm_ext d _ (fun j => sum T (fun i => u i j * sum N (fun n => C n * (om i j n * b i n)))))
    by (intros; apply swapped).
  eapply Rle_trans; [apply (norm_sum d T (fun i j => u i j * sum N (fun n => C n * (om i j n * b i n))))|].
  rewrite <- sum_scal. apply sum_le. intros i Hi.
  assert (K : 0 <= Om i * (norm N C * norm N (b i)))
    by (apply Rmult_le_pos; [auto|apply Rmult_le_pos; apply norm_nonneg]).
  apply Rle_trans with (norm d (fun j => Om i * (norm N C * norm N (b i)) * Rabs (u i j))).
  - apply norm_le. intros j Hj. rewrite Rabs_mult, Rmult_comm. apply Rmult_le_compat_r; [apply Rabs_pos|].
    eapply Rle_trans; [apply sum_abs|].
    apply Rle_trans with (Om i * sum N (fun n => Rabs (C n * b i n))).
    + rewrite <- sum_scal. apply sum_le. intros n Hn. rewrite !Rabs_mult. specialize (H i j n Hi Hj Hn).
      pose proof (Rabs_pos (C n)). pose proof (Rabs_pos (b i n)).
      replace (Rabs (C n) * (Rabs (om i j n) * Rabs (b i n))) with (Rabs (om i j n) * (Rabs (C n) * Rabs (b i n)))
        by ring.
      apply Rmult_le_compat_r; [apply Rmult_le_pos; lra|exact H].
    + apply Rmult_le_compat_l; [auto|apply cauchy_schwarz_abs].
  - rewrite norm_scal by exact K.
    rewrite norm_abs. right. ring.
Qed.

(* the same with bounds on the norms *)
Lemma channel_below d N T C om u b Om B_u K_C K_b R :
  0 <= B_u -> 0 <= K_b -> norm N C <= K_C ->
  (forall i, (i < T)%nat -> norm d (u i) <= B_u /\ norm N (b i) <= K_b) ->
  (forall i, (i < T)%nat -> 0 <= Om i) ->
  (forall i j n, (i < T)%nat -> (j < d)%nat -> (n < N)%nat -> Rabs (om i j n) <= Om i) ->
  sum T Om <= R -> norm d (channel N T C om u b) <= K_C * (R * (B_u * K_b)).
Proof.
  intros HB Hb HC Hu H0 H HR. eapply Rle_trans; [apply (channel_norm d N T C om u b Om H0 H)|].
  apply Rmult_le_compat; [apply norm_nonneg| |exact HC|].
  - apply sum_nonneg. intros i Hi. apply Rmult_le_pos; [auto|apply Rmult_le_pos; apply norm_nonneg].
  - apply Rle_trans with (sum T Om * (B_u * K_b)).
    + rewrite <- sum_scal_r. apply sum_le. intros i Hi. destruct (Hu i Hi). apply Rmult_le_compat_l; [auto|].
      apply Rmult_le_compat; try assumption; apply norm_nonneg.
    + apply Rmult_le_compat_r; [apply Rmult_le_pos; assumption|exact HR].
Qed.

(* differences, one block at a time *)
Lemma channel_minus_C N T C C' om u b j :
  channel N T C om u b j - channel N T C' om u b j = channel N T (minus C C') om u b j.
Proof. unfold channel, minus. rewrite <- sum_minus. apply sum_ext. intros n _. ring. Qed.

Lemma channel_minus_b N T C om u b b' j :
  channel N T C om u b j - channel N T C om u b' j = channel N T C om u (minus2 b b') j.
Proof.
  unfold channel, minus2. rewrite <- sum_minus. apply sum_ext. intros n _.
  rewrite <- Rmult_minus_distr_l, <- sum_minus. f_equal. apply sum_ext. intros i _. ring.
Qed.

Lemma channel_minus_om N T C om om' u b j :
  channel N T C om u b j - channel N T C om' u b j = channel N T C (fun i j n => om i j n - om' i j n) u b j.
Proof.
  unfold channel. rewrite <- sum_minus. apply sum_ext. intros n _.
  rewrite <- Rmult_minus_distr_l, <- sum_minus. f_equal. apply sum_ext. intros i _. ring.
Qed.

Lemma apply_minus d (V U : nat -> nat -> R) x i : apply d V x i - apply d U x i = apply d (minus2 V U) x i.
Proof. unfold apply, dot, minus2. rewrite <- sum_minus. apply sum_ext. intros; ring. Qed.

Lemma apply_minus_r d V x y i : apply d V x i - apply d V y i = apply d V (minus x y) i.
Proof. unfold apply, dot, minus. rewrite <- sum_minus. apply sum_ext. intros; ring. Qed.

(* A: one entry *)
Lemma one_entry a a' s t : 0 <= t -> a <= s -> a' <= s -> Rabs (exp (a * t) - exp (a' * t)) <= Rabs (a - a') * t * exp (s * t).
Proof.
  intros Ht.
  assert (K : forall x y, y <= x -> x <= s -> Rabs (exp (x * t) - exp (y * t)) <= Rabs (x - y) * t * exp (s * t)).
  { intros x y Hy Hx. assert (exp (y * t) <= exp (x * t)) by (apply exp_le; nra).
    rewrite (Rabs_right (exp (x * t) - exp (y * t))), (Rabs_right (x - y)) by lra.
    assert (E : exp (y * t) = exp (x * t) * exp (- ((x - y) * t))) by (rewrite <- exp_plus; f_equal; ring).
    pose proof (exp_ineq1_le (- ((x - y) * t))). pose proof (exp_pos (x * t)).
    assert (exp (x * t) <= exp (s * t)) by (apply exp_le; nra).
    assert (0 <= (x - y) * t) by (apply Rmult_le_pos; lra).
    assert (exp (x * t) * (1 + - ((x - y) * t)) <= exp (x * t) * exp (- ((x - y) * t)))
      by (apply Rmult_le_compat_l; lra).
    assert ((x - y) * t * exp (x * t) <= (x - y) * t * exp (s * t)) by (apply Rmult_le_compat_l; lra). lra. }
  intros Ha Ha'. destruct (Rle_dec a' a) as [L|L]; [apply K; assumption|].
  rewrite (Rabs_minus_sym (exp (a * t))), (Rabs_minus_sym a). apply K; lra.
Qed.

(* the largest of finitely many numbers that are not negative *)
Fixpoint top (n : nat) (f : nat -> R) : R := match n with O => 0 | S m => Rmax (top m f) (f m) end.

Lemma top_ge n f i : (i < n)%nat -> f i <= top n f.
Proof.
  induction n as [|n IH]; intros H; [lia|]. simpl. destruct (Nat.eq_dec i n) as [->|N]; [apply Rmax_r|].
  eapply Rle_trans; [apply IH; lia|apply Rmax_l].
Qed.

Lemma top_attained n f : top n f = 0 \/ exists i, (i < n)%nat /\ top n f = f i.
Proof.
  induction n as [|n IH]; [left; reflexivity|]. simpl. destruct (Rle_dec (top n f) (f n)) as [L|L].
  - rewrite Rmax_right by lra. right. exists n. split; [lia|reflexivity].
  - rewrite Rmax_left by lra. destruct IH as [E|[i [Hi E]]]; [left; exact E|right; exists i; split; [lia|exact E]].
Qed.

Lemma top_nonneg n f : 0 <= top n f.
Proof. induction n as [|n IH]; simpl; [lra|]. eapply Rle_trans; [exact IH|apply Rmax_l]. Qed.

(* R_g of 5.1 bounds the slopes of moving gates, at any rates below s_A *)
Lemma slopes_below M R_1 R_2 R_g s_A c c' Om T :
  0 < M -> gated M c T -> moves c c' T -> S_1 s_A c T <= R_1 -> S_2 s_A c T <= R_2 ->
  claims.s5_1.hypothesis_6 M R_1 R_2 R_g s_A -> claims.s5_1.hypothesis_7 R_1 R_2 R_g s_A ->
  (forall i, (i < T)%nat -> exists a, a <= s_A /\ Om i <= slope c c' a i) -> sum T Om <= R_g.
Proof.
  intros HM G D H1 H2 H6 H7 H. unfold claims.s5_1.hypothesis_6, claims.s5_1.hypothesis_7 in *.
  assert (Hc : forall i, (i < T)%nat -> 0 < c i) by (intros i Hi; apply (G i Hi)).
  assert (first : 0 <= s_A -> sum T Om <= S_1 s_A c T + s_A * S_2 s_A c T).
  { intros Hs. unfold S_1, S_2. rewrite <- sum_scal, <- sum_plus. apply sum_le. intros i Hi.
    destruct (H i Hi) as [a [Ha HO]]. eapply Rle_trans; [exact HO|]. specialize (Hc i Hi).
    pose proof (tau_bounds M c i (gated_before M c T i G ltac:(lia))) as [t0 _].
    assert (E : 1 <= exp (s_A * tau c i)) by (rewrite <- exp_0; apply exp_le; nra).
    assert (0 <= s_A * tau c i) by nra.
    replace (c i * exp (s_A * tau c i) + s_A * (c i * tau c i * exp (s_A * tau c i)))
      with (c i * ((1 + s_A * tau c i) * exp (s_A * tau c i))) by ring.
    destruct (Rle_dec a 0) as [L|L].
    - eapply Rle_trans; [apply (slope_first 0 c c' a T i); try assumption; [lra|intros j Hj; apply (G j Hj)|lra]|].
      rewrite !Rmult_0_l, Rplus_0_r, Ropp_0, exp_0, !Rmult_1_r.
      rewrite <- (Rmult_1_r (c i)) at 1. apply Rmult_le_compat_l; [lra|].
      assert (1 * 1 <= (1 + s_A * tau c i) * exp (s_A * tau c i)) by (apply Rmult_le_compat; lra). lra.
    - unfold slope. pose proof (D i Hi). pose proof (tau_moves c c' i (fun j Hj => D j ltac:(lia))).
      assert (Rabs (c' i + a * tau c' i * c i) <= c i * (1 + s_A * tau c i)).
      { eapply Rle_trans; [apply Rabs_triang|]. rewrite !Rabs_mult, (Rabs_right a), (Rabs_right (c i)) by lra.
        assert (a * Rabs (tau c' i) <= s_A * tau c i) by (apply Rmult_le_compat; [lra|apply Rabs_pos|lra|lra]). nra. }
      assert (exp (a * tau c i) <= exp (s_A * tau c i)) by (apply exp_le; nra).
      rewrite <- Rmult_assoc. apply Rmult_le_compat; [apply Rabs_pos|left; apply exp_pos|assumption|assumption]. }
  destruct (Rtotal_order s_A 0) as [L|[E|L]].
  - rewrite H6, Rabs_left by lra.
    destruct (slopes_both (- s_A) M c c' Om T ltac:(lra) HM G D) as [X Y].
    { rewrite Ropp_involutive. exact H. }
    rewrite Ropp_involutive in X, Y.
    unfold Rmin. destruct (Rle_dec R_2 (M * R_1 / 2)).
    + assert (- s_A * S_2 s_A c T <= - s_A * R_2) by (apply Rmult_le_compat_l; lra). lra.
    + assert ((1 + - s_A * M / 2) * S_1 s_A c T <= (1 + - s_A * M / 2) * R_1).
      { apply Rmult_le_compat_l; [|exact H1]. assert (0 <= - s_A * M) by (apply Rmult_le_pos; lra). lra. }
      lra.
  - rewrite H6, E, Rabs_R0 by lra. specialize (first ltac:(lra)). rewrite E in first. rewrite E in H1. lra.
  - rewrite H7 by lra. specialize (first ltac:(lra)).
    assert (s_A * S_2 s_A c T <= s_A * R_2) by (apply Rmult_le_compat_l; lra). lra.
Qed.

(* the gates on the straight path between two sequences of logits *)
Lemma weight_derive (a : R) (f g : R -> R) (f' g' x : R) : derivable_pt_lim f x f' -> derivable_pt_lim g x g' ->
  derivable_pt_lim (fun r => exp (a * f r) * g r) x (exp (a * f x) * (g' + a * f' * g x)).
Proof.
  intros Hf Hg.
  replace (exp (a * f x) * (g' + a * f' * g x)) with (exp (a * f x) * (a * f') * g x + exp (a * f x) * g') by ring.
  apply (derivable_pt_lim_mult (fun r => exp (a * f r)) g); [|exact Hg].
  apply (derivable_pt_lim_comp (fun r => a * f r) exp); [|apply derivable_pt_lim_exp].
  apply derivable_pt_lim_scal. exact Hf.
Qed.

Lemma gate_derive (l e x : R) :
  derivable_pt_lim (fun r => softplus (l + r * e)) x ((1 - exp (- softplus (l + x * e))) * e).
Proof.
  apply (derivable_pt_lim_comp (fun r => l + r * e) softplus).
  - assert (H : derivable_pt_lim (fun r => l + r * e) x (0 + (1 * e + x * 0))).
    { apply (derivable_pt_lim_plus (fun _ => l) (fun r => r * e)); [apply derivable_pt_lim_const|].
      apply (derivable_pt_lim_mult (fun r => r) (fun _ => e));
        [apply derivable_pt_lim_id|apply derivable_pt_lim_const]. }
    replace (0 + (1 * e + x * 0)) with e in H by ring. exact H.
  - apply Coquelicot.Derive.is_derive_Reals, softplus_derive.
Qed.

Lemma softplus_le x y : x <= y -> softplus x <= softplus y.
Proof.
  intros H. unfold softplus. pose proof (exp_pos x). pose proof (exp_le x y H).
  destruct (Req_dec (exp x) (exp y)) as [->|N]; [lra|]. left. apply ln_increasing; lra.
Qed.

Lemma softplus_between x y M r : softplus x <= M -> softplus y <= M -> (x <= r <= y \/ y <= r <= x) -> 0 < softplus r <= M.
Proof.
  intros Hx Hy H. split; [apply softplus_pos|].
  destruct H as [[_ H]|[_ H]]; eapply Rle_trans; [apply softplus_le, H|assumption|apply softplus_le, H|assumption].
Qed.

Lemma channel_gates N T a C u b (x y : nat -> R) j : (forall i, (i < T)%nat -> x i = y i) ->
  channel N T C (weights a x) u b j = channel N T C (weights a y) u b j.
Proof.
  intros H. unfold channel. apply sum_ext. intros n _. f_equal. apply sum_ext. intros i Hi. unfold weights.
  assert (E : tau x i = tau y i) by (unfold tau; apply sum_ext; intros l Hl; apply H; lia).
  rewrite E, (H i Hi). reflexivity.
Qed.

(* the gate: along the path every output of a channel has a derivative, whose weights are the slopes *)
Lemma gate_block d N T (a : nat -> nat -> R) C u b (l l' : nat -> R) M R_1 R_2 R_g s_A eps_g B_u K_C K_b :
  0 < M -> 0 <= eps_g -> 0 <= B_u -> 0 <= K_b -> norm N C <= K_C ->
  (forall i, (i < T)%nat -> norm d (u i) <= B_u /\ norm N (b i) <= K_b) ->
  (forall j n, (j < d)%nat -> (n < N)%nat -> a j n <= s_A) ->
  (forall i, (i < T)%nat -> softplus (l i) <= M /\ softplus (l' i) <= M /\ Rabs (l i - l' i) <= eps_g) ->
  sums_below T M s_A R_1 R_2 ->
  claims.s5_1.hypothesis_6 M R_1 R_2 R_g s_A -> claims.s5_1.hypothesis_7 R_1 R_2 R_g s_A ->
  norm d (minus (channel N T C (weights a (fun i => softplus (l i))) u b)
                (channel N T C (weights a (fun i => softplus (l' i))) u b))
  <= K_C * (R_g * (B_u * K_b)) * eps_g.
Proof.
  intros HM Hg HB Hb HC Hu Ha Hl Hsums H6 H7.
  set (e := fun i => (l i - l' i) / eps_g).
  assert (He : forall i, (i < T)%nat -> l i = l' i + eps_g * e i /\ Rabs (e i) <= 1).
  { intros i Hi. destruct (Hl i Hi) as [_ [_ Hd]]. unfold e. destruct (Req_dec eps_g 0) as [Z|Z].
    - rewrite Z in *. assert (l i - l' i = 0) by (destruct (Req_dec (l i - l' i) 0) as [|X]; [assumption|];
        pose proof (Rabs_pos_lt _ X); lra).
      split; [lra|]. rewrite H. unfold Rdiv. rewrite Rmult_0_l, Rabs_R0. lra.
    - split; [field; exact Z|]. unfold Rdiv. rewrite Rabs_mult, Rabs_inv, (Rabs_right eps_g) by lra.
      apply (Rmult_le_reg_r eps_g); [lra|]. rewrite Rmult_assoc, Rinv_l by lra. lra. }
  set (c := fun r i => softplus (l' i + r * e i)).
  set (c' := fun r i => (1 - exp (- c r i)) * e i).
  set (Y := fun r => channel N T C (weights a (c r)) u b).
  set (om := fun r i j n => exp (a j n * tau (c r) i) * (c' r i + a j n * tau (c' r) i * c r i)).
  set (D := minus (Y eps_g) (Y 0)).
  assert (ED : norm d (minus (channel N T C (weights a (fun i => softplus (l i))) u b)
                (channel N T C (weights a (fun i => softplus (l' i))) u b)) = norm d D).
  { apply norm_ext. intros j Hj. unfold D, Y, minus.
    rewrite (channel_gates N T a C u b (fun i => softplus (l i)) (c eps_g)).
    - rewrite (channel_gates N T a C u b (fun i => softplus (l' i)) (c 0)); [reflexivity|].
      intros i _. unfold c. f_equal. ring.
    - intros i Hi. unfold c. f_equal. apply (He i Hi). }
  rewrite ED. clear ED.
  assert (derive : forall r, derivable_pt_lim (fun x => dot d D (Y x)) r (dot d D (channel N T C (om r) u b))).
  { intros r. unfold dot. apply (sum_derive d (fun j x => D j * Y x j) (fun j x => D j * channel N T C (om x) u b j)).
    intros j Hj. apply (derivable_pt_lim_scal (fun x => Y x j)). unfold Y, channel.
    apply (sum_derive N (fun n x => C n * sum T (fun i => weights a (c x) i j n * (u i j * b i n)))
      (fun n x => C n * sum T (fun i => om x i j n * (u i j * b i n)))).
    intros n Hn. apply (derivable_pt_lim_scal (fun x => sum T (fun i => weights a (c x) i j n * (u i j * b i n)))).
    apply (sum_derive T (fun i x => weights a (c x) i j n * (u i j * b i n))
      (fun i x => om x i j n * (u i j * b i n))).
    intros i Hi. unfold om, weights.
    assert (Ht : derivable_pt_lim (fun x => tau (c x) i) r (tau (c' r) i)).
    { apply (sum_derive i (fun k x => c x k) (fun k x => c' x k)). intros k _. apply gate_derive. }
    pose proof (weight_derive (a j n) _ (fun x => c x i) _ _ r Ht (gate_derive (l' i) (e i) r)) as K.
    apply (derivable_pt_lim_ext (fun x => u i j * b i n * (exp (a j n * tau (c x) i) * c x i)));
      [intros x; ring|].
    replace (exp (a j n * tau (c r) i) * (c' r i + a j n * tau (c' r) i * c r i) * (u i j * b i n))
      with (u i j * b i n * (exp (a j n * tau (c r) i) * (c' r i + a j n * tau (c' r) i * c r i))) by ring.
    apply (derivable_pt_lim_scal (fun x => exp (a j n * tau (c x) i) * c x i)). exact K. }
  assert (below : forall r, 0 <= r <= eps_g -> norm d (channel N T C (om r) u b) <= K_C * (R_g * (B_u * K_b))).
  { intros r Hr.
    assert (G : gated M (c r) T).
    { intros i Hi. destruct (Hl i Hi) as [L [L' _]]. destruct (He i Hi) as [E E1]. unfold c.
      apply (softplus_between (l i) (l' i)); try assumption. rewrite E.
      assert (X : 0 <= e i \/ 0 <= - e i) by lra. destruct X as [X|X]; [right|left].
      - assert (0 <= r * e i) by (apply Rmult_le_pos; lra).
        assert (0 <= (eps_g - r) * e i) by (apply Rmult_le_pos; lra). lra.
      - assert (0 <= r * - e i) by (apply Rmult_le_pos; lra).
        assert (0 <= (eps_g - r) * - e i) by (apply Rmult_le_pos; lra). lra. }
    assert (mv : moves (c r) (c' r) T).
    { intros i Hi. destruct (G i Hi) as [c0 _]. destruct (He i Hi) as [_ E1]. unfold c'. rewrite Rabs_mult.
      pose proof (exp_ineq1_le (- c r i)). pose proof (one_minus_exp_pos (c r i) c0).
      rewrite (Rabs_right (1 - exp (- c r i))) by lra. pose proof (Rabs_pos (e i)).
      apply Rle_trans with (c r i * 1); [apply Rmult_le_compat; lra|lra]. }
    set (Om := fun i => top d (fun j => top N (fun n => slope (c r) (c' r) (a j n) i))).
    apply (channel_below d N T C (om r) u b Om); try assumption.
    - intros i _. apply top_nonneg.
    - intros i j n Hi Hj Hn. apply Rle_trans with (slope (c r) (c' r) (a j n) i).
      + unfold om, slope. rewrite Rabs_mult, Rmult_comm, (Rabs_right (exp _)); [lra|apply Rle_ge; left; apply exp_pos].
      + apply Rle_trans with (top N (fun n => slope (c r) (c' r) (a j n) i)).
        * apply (top_ge N (fun n => slope (c r) (c' r) (a j n) i)), Hn.
        * apply (top_ge d (fun j => top N (fun n => slope (c r) (c' r) (a j n) i))), Hj.
    - destruct (Hsums (c r) G) as [H1 H2].
      apply (slopes_below M R_1 R_2 R_g s_A (c r) (c' r) Om T); try assumption.
      intros i Hi. unfold Om.
      assert (Z : exists x, x <= s_A /\ 0 <= slope (c r) (c' r) x i).
      { exists s_A. split; [lra|]. unfold slope. apply Rmult_le_pos; [apply Rabs_pos|left; apply exp_pos]. }
      destruct (top_attained d (fun j => top N (fun n => slope (c r) (c' r) (a j n) i))) as [E|[j [Hj E]]];
        rewrite E; [exact Z|].
      destruct (top_attained N (fun n => slope (c r) (c' r) (a j n) i)) as [E'|[n [Hn E']]]; rewrite E'; [exact Z|].
      exists (a j n). split; [apply Ha; assumption|lra]. }
  assert (HR : 0 <= K_C * (R_g * (B_u * K_b))) by (eapply Rle_trans; [apply norm_nonneg|apply (below 0); lra]).
  destruct (Req_dec eps_g 0) as [Z|Z].
  { assert (E : norm d D = 0).
    { rewrite <- (norm_zero d). apply norm_ext. intros j _. unfold D, minus. rewrite Z. ring. }
    rewrite E. apply Rmult_le_pos; assumption. }
  destruct (Req_dec (norm d D) 0) as [ZD|ZD]; [rewrite ZD; apply Rmult_le_pos; assumption|].
  destruct (MVT_cor2 (fun x => dot d D (Y x)) (fun r => dot d D (channel N T C (om r) u b)) 0 eps_g) as [r [Er Hr]].
  { lra. }
  { intros r _. apply derive. }
  assert (E : dot d D (Y eps_g) - dot d D (Y 0) = norm d D * norm d D).
  { rewrite norm_sq. unfold dot. rewrite <- sum_minus. apply sum_ext. intros j _. unfold D, minus. ring. }
  rewrite E, Rminus_0_r in Er.
  apply (Rmult_le_reg_l (norm d D)); [pose proof (norm_nonneg d D); lra|]. rewrite Er, <- Rmult_assoc.
  apply Rmult_le_compat_r; [exact Hg|]. eapply Rle_trans; [apply cauchy_schwarz|].
  apply Rmult_le_compat_l; [apply norm_nonneg|apply below; lra].
Qed.

(* R_1 and R_2 as 4.5 prints them, for either sign of s_A *)
Theorem sums_falling lam M T R_1 R_2 : 0 < lam -> 0 < M ->
  (forall x, claims.s4_5.conclusion M x lam T -> x <= R_1) ->
  (forall x, claims.s4_5_R_2.conclusion M x lam T -> x <= R_2) -> sums_below T M (- lam) R_1 R_2.
Proof. intros Hl HM H1 H2 c G. split; [apply H1, first_falling|apply H2, second_falling]; assumption. Qed.

Theorem sums_rising lam M T R_1 R_2 : 0 < lam -> 0 < M ->
  (forall x, claims.s4_5_R_1_rising.conclusion M x lam T -> x <= R_1) ->
  (forall x, claims.s4_5_R_2_rising.conclusion M x lam T -> x <= R_2) -> sums_below T M lam R_1 R_2.
Proof. intros Hl HM H1 H2 c G. split; [apply H1, first_rising|apply H2, second_rising]; assumption. Qed.
