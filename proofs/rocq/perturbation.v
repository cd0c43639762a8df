(* Theory 5.1 and 5.2: how far the output moves between two models of the class. Decay groups: each entry of A, row of
   W_B and W_C and column of W lies in one of G groups, whose bound s is at least every decay that it touches, in both
   models. With one group this is 5.1. *)
From Coq Require Import Reals Lra Lia Psatz.
From SsmBounds Require Import vectors sums gates slopes channels.
From SsmBounds Require claims.
Open Scope R_scope.

Definition only (here : bool) (x : R) : R := if here then x else 0.
Definition rows (of : nat -> nat) (g : nat) (V : nat -> nat -> R) (n j : nat) : R := only (Nat.eqb (of n) g) (V n j).
Definition columns (of : nat -> nat) (g : nat) (V : nat -> nat -> R) (o j : nat) : R := only (Nat.eqb (of j) g) (V o j).

(* groups A, B, C, w of a channel j and a state n, and the bounds of a group *)
Record groups := {
  of_A : nat -> nat -> nat;
  of_B : nat -> nat;
  of_C : nat -> nat;
  of_w : nat -> nat;
  s_of_A : nat -> R;
  s_of_B : nat -> R;
  s_of_C : nat -> R;
  s_of_w : nat -> R
}.

(* decays of a model, seen from the groups that touch them; s_A is at least the bound of each *)
Definition touched (d N G : nat) (s_A : R) (h : groups) (m : model) : Prop :=
  forall j n, (j < d)%nat -> (n < N)%nat ->
    ((of_A h j n < G)%nat /\ (of_B h n < G)%nat /\ (of_C h n < G)%nat /\ (of_w h j < G)%nat) /\
    A m j n <= s_of_A h (of_A h j n) /\ A m j n <= s_of_B h (of_B h n) /\
    A m j n <= s_of_C h (of_C h n) /\ A m j n <= s_of_w h (of_w h j) /\ s_of_A h (of_A h j n) <= s_A.

(* how far each group moves *)
Definition moved (d N k T G : nat) (h : groups) (m m' : model) (u : nat -> nat -> R)
    (eps_A eps_B eps_C eps_w : nat -> R) (eps_g : R) : Prop :=
  (forall j n, (j < d)%nat -> (n < N)%nat -> Rabs (A m j n - A m' j n) <= eps_A (of_A h j n)) /\
  (forall g, (g < G)%nat -> 0 <= eps_A g /\ 0 <= eps_B g /\ 0 <= eps_C g /\ 0 <= eps_w g /\
    spectral N d (rows (of_B h) g (minus2 (W_B m) (W_B m'))) (eps_B g) /\
    spectral N d (rows (of_C h) g (minus2 (W_C m) (W_C m'))) (eps_C g) /\
    spectral k d (columns (of_w h) g (minus2 (W m) (W m'))) (eps_w g)) /\
  0 <= eps_g /\ (forall i, (i < T)%nat -> Rabs (logit d m u i - logit d m' u i) <= eps_g).

(* R_1 and R_2 at the bound of each group *)
Definition group_sums (T G : nat) (M : R) (h : groups) (R2_A R1_B R1_C R1_w : nat -> R) : Prop :=
  forall g c, (g < G)%nat -> gated M c T ->
    S_2 (s_of_A h g) c T <= R2_A g /\ S_1 (s_of_B h g) c T <= R1_B g /\
    S_1 (s_of_C h g) c T <= R1_C g /\ S_1 (s_of_w h g) c T <= R1_w g.

Lemma sum_only G k x : (k < G)%nat -> sum G (fun g => only (Nat.eqb k g) x) = x.
Proof.
  induction G as [|G IH]; intros H; [lia|]. rewrite sum_S. destruct (Nat.eq_dec k G) as [->|N].
  - rewrite (sum_ext G _ (fun _ => 0)), sum_zero; [unfold only; rewrite Nat.eqb_refl; lra|].
    intros g Hg. unfold only. replace (Nat.eqb G g) with false; [reflexivity|]. symmetry. apply Nat.eqb_neq. lia.
  - rewrite IH by lia. unfold only. replace (Nat.eqb k G) with false; [lra|]. symmetry. apply Nat.eqb_neq. lia.
Qed.

Lemma only_mult b x y : only b x * only b y = only b (x * y).
Proof. destruct b; simpl; ring. Qed.

Lemma only_mult_r b x y : only b x * y = only b (x * y).
Proof. destruct b; simpl; ring. Qed.

Lemma only_sum b n f : sum n (fun i => only b (f i)) = only b (sum n f).
Proof. destruct b; simpl; [reflexivity|apply sum_zero]. Qed.

Definition masked (P : nat -> nat -> bool) (om : nat -> nat -> nat -> R) (i j n : nat) : R := only (P j n) (om i j n).

(* the output of a channel, as the sum of its parts by groups of C, of b, of weights *)
Lemma parts_C N T G C om u b (of : nat -> nat) j : (forall n, (n < N)%nat -> (of n < G)%nat) ->
  channel N T C om u b j = sum G (fun g =>
    channel N T (fun n => only (Nat.eqb (of n) g) (C n)) (masked (fun _ n => Nat.eqb (of n) g) om) u b j).
Proof.
  intros H. unfold channel. rewrite sum_swap. apply sum_ext. intros n Hn.
  rewrite <- (sum_only G (of n) (C n * _) (H n Hn)). apply sum_ext. intros g _. unfold masked.
  rewrite (sum_ext T (fun i => only _ (om i j n) * _) (fun i => only (Nat.eqb (of n) g) (om i j n * (u i j * b i n))))
    by (intros; apply only_mult_r).
  rewrite only_sum, only_mult. reflexivity.
Qed.

Lemma parts_b N T G C om u b (of : nat -> nat) j : (forall n, (n < N)%nat -> (of n < G)%nat) ->
  channel N T C om u b j = sum G (fun g =>
    channel N T C (masked (fun _ n => Nat.eqb (of n) g) om) u (fun i n => only (Nat.eqb (of n) g) (b i n)) j).
Proof.
  intros H. unfold channel. rewrite sum_swap. apply sum_ext. intros n Hn. rewrite sum_scal. f_equal.
  rewrite <- (sum_only G (of n) (sum T _) (H n Hn)). apply sum_ext. intros g _. rewrite <- only_sum.
  apply sum_ext. intros i _. unfold masked. destruct (Nat.eqb (of n) g); simpl; ring.
Qed.

Lemma parts_om N T G C om u b (of : nat -> nat -> nat) j : (forall n, (n < N)%nat -> (of j n < G)%nat) ->
  channel N T C om u b j = sum G (fun g => channel N T C (masked (fun j n => Nat.eqb (of j n) g) om) u b j).
Proof.
  intros H. unfold channel. rewrite sum_swap. apply sum_ext. intros n Hn. rewrite sum_scal. f_equal.
  rewrite <- (sum_only G (of j n) (sum T _) (H n Hn)). apply sum_ext. intros g _. rewrite <- only_sum.
  apply sum_ext. intros i _. unfold masked. destruct (Nat.eqb (of j n) g); simpl; ring.
Qed.

Lemma masked_below (P : nat -> nat -> bool) (a : nat -> nat -> R) x s M T d N : gated M x T ->
  (forall j n, (j < d)%nat -> (n < N)%nat -> P j n = true -> a j n <= s) ->
  forall i j n, (i < T)%nat -> (j < d)%nat -> (n < N)%nat ->
  Rabs (masked P (weights a x) i j n) <= x i * exp (s * tau x i).
Proof.
  intros G H i j n Hi Hj Hn. unfold masked, weights. destruct (G i Hi) as [x0 _].
  pose proof (tau_bounds M x i (gated_before M x T i G ltac:(lia))) as [t0 _].
  pose proof (exp_pos (s * tau x i)). destruct (P j n) eqn:E; simpl.
  - pose proof (exp_pos (a j n * tau x i)). rewrite Rabs_right by (apply Rle_ge, Rmult_le_pos; lra).
    rewrite Rmult_comm. apply Rmult_le_compat_l; [lra|]. apply exp_le. apply Rmult_le_compat_r; auto.
  - rewrite Rabs_R0. apply Rmult_le_pos; lra.
Qed.

Lemma weight_nonneg s M x T i : gated M x T -> (i < T)%nat -> 0 <= x i * exp (s * tau x i).
Proof. intros G Hi. destruct (G i Hi). pose proof (exp_pos (s * tau x i)). apply Rmult_le_pos; lra. Qed.

(* 5.2, any number of groups *)
Theorem any_groups d N k T G h (m m' : model) u v B_B B_C B_w B_u M s_A R_1 R_2 R_g
    (R2_A R1_B R1_C R1_w eps_A eps_B eps_C eps_w : nat -> R) eps_g :
  in_class d N k T B_B B_C B_w M s_A u m -> in_class d N k T B_B B_C B_w M s_A u m' ->
  touched d N G s_A h m -> touched d N G s_A h m' ->
  (forall i, (i < T)%nat -> norm d (u i) <= B_u) -> norm d v <= B_u ->
  0 <= B_B -> 0 <= B_C -> 0 <= B_w -> 0 <= B_u -> 0 < M ->
  moved d N k T G h m m' u eps_A eps_B eps_C eps_w eps_g ->
  group_sums T G M h R2_A R1_B R1_C R1_w -> sums_below T M s_A R_1 R_2 ->
  claims.s5_1.hypothesis_6 M R_1 R_2 R_g s_A -> claims.s5_1.hypothesis_7 R_1 R_2 R_g s_A ->
  norm k (minus (output d N T m u v) (output d N T m' u v))
  <= B_B * B_C * B_u ^ 3 * sum G (fun g => R1_w g * eps_w g) + B_B * B_u ^ 3 * B_w * sum G (fun g => R1_C g * eps_C g)
     + B_C * B_u ^ 3 * B_w * sum G (fun g => R1_B g * eps_B g)
     + B_w * B_B * B_C * B_u ^ 3 * sum G (fun g => R2_A g * eps_A g) + B_w * B_B * B_C * B_u ^ 3 * R_g * eps_g.
Proof.
  intros [SB [SC [SW [SA SM]]]] [SB' [SC' [SW' [SA' SM']]]] tm tm' Hu Hv pB pC pw pu pM [dA [dG [eg dg]]]
    Hg Hsums H6 H7.
  set (c := gate d m u). set (c' := gate d m' u).
  set (C := apply d (W_C m) v). set (C' := apply d (W_C m') v).
  set (b := fun i => apply d (W_B m) (u i)). set (b' := fun i => apply d (W_B m') (u i)).
  assert (Gc : gated M c T) by (intros i Hi; split; [apply softplus_pos|apply SM, Hi]).
  assert (Gc' : gated M c' T) by (intros i Hi; split; [apply softplus_pos|apply SM', Hi]).
  assert (norm_apply : forall r X B x K, spectral r d X B -> 0 <= B -> norm d x <= K -> norm r (apply d X x) <= B * K).
  { intros r X B x K H HB Hx. eapply Rle_trans; [apply H|]. apply Rmult_le_compat_l; assumption. }
  assert (nC' : norm N C' <= B_C * B_u) by (apply norm_apply; assumption).
  assert (nb : forall i, (i < T)%nat -> norm d (u i) <= B_u /\ norm N (b i) <= B_B * B_u)
    by (intros i Hi; split; [apply Hu, Hi|apply norm_apply; auto]).
  assert (nb' : forall i, (i < T)%nat -> norm d (u i) <= B_u /\ norm N (b' i) <= B_B * B_u)
    by (intros i Hi; split; [apply Hu, Hi|apply norm_apply; auto]).
  assert (pb : 0 <= B_B * B_u) by (apply Rmult_le_pos; assumption).
  set (om := weights (A m) c). set (om1 := weights (A m') c). set (om' := weights (A m') c').
  set (Y := channel N T C om u b). set (Y' := channel N T C' om' u b').
  (* group indices exist only where there are channels and states *)
  assert (inB : forall j, (j < d)%nat -> forall n, (n < N)%nat -> (of_B h n < G)%nat)
    by (intros j Hj n Hn; apply (tm j n Hj Hn)).
  assert (inC : forall j, (j < d)%nat -> forall n, (n < N)%nat -> (of_C h n < G)%nat)
    by (intros j Hj n Hn; apply (tm j n Hj Hn)).
  assert (inA : forall j, (j < d)%nat -> forall n, (n < N)%nat -> (of_A h j n < G)%nat)
    by (intros j Hj n Hn; apply (tm j n Hj Hn)).
  assert (in_w : forall j, (j < d)%nat -> forall n, (n < N)%nat -> (of_w h j < G)%nat)
    by (intros j Hj n Hn; apply (tm j n Hj Hn)).
  (* the parts *)
  assert (part_w : forall g, (g < G)%nat -> norm d (channel N T C' (masked (fun j _ => Nat.eqb (of_w h j) g) om') u b')
    <= B_C * B_u * (R1_w g * (B_u * (B_B * B_u)))).
  { intros g Hgg. apply (channel_below d N T C' _ u b' (fun i => c' i * exp (s_of_w h g * tau c' i))); auto.
    - intros i Hi. apply (weight_nonneg _ M c' T i Gc' Hi).
    - apply (masked_below _ (A m') c' _ M T d N Gc'). intros j n Hj Hn E. apply Nat.eqb_eq in E. rewrite <- E.
      apply (tm' j n Hj Hn).
    - apply (Hg g c' Hgg Gc'). }
  assert (part_C : forall g, (g < G)%nat ->
    norm d (channel N T (fun n => only (Nat.eqb (of_C h n) g) (minus C C' n))
      (masked (fun _ n => Nat.eqb (of_C h n) g) om) u b) <= eps_C g * B_u * (R1_C g * (B_u * (B_B * B_u)))).
  { intros g Hgg. destruct (dG g Hgg) as [eA [eB [eC [ew [dB [dC dw]]]]]].
    apply (channel_below d N T _ _ u b (fun i => c i * exp (s_of_C h g * tau c i))); auto.
    - rewrite (norm_ext N _ (apply d (rows (of_C h) g (minus2 (W_C m) (W_C m'))) v)).
      + apply norm_apply; assumption.
      + intros n _. unfold C, C', minus, apply, dot, rows. rewrite <- sum_minus, <- only_sum. apply sum_ext.
        intros j _. unfold minus2. destruct (Nat.eqb (of_C h n) g); simpl; ring.
    - intros i Hi. apply (weight_nonneg _ M c T i Gc Hi).
    - apply (masked_below _ (A m) c _ M T d N Gc). intros j n Hj Hn E. apply Nat.eqb_eq in E. rewrite <- E.
      apply (tm j n Hj Hn).
    - apply (Hg g c Hgg Gc). }
  assert (part_B : forall g, (g < G)%nat ->
    norm d (channel N T C' (masked (fun _ n => Nat.eqb (of_B h n) g) om) u
      (fun i n => only (Nat.eqb (of_B h n) g) (minus2 b b' i n))) <= B_C * B_u * (R1_B g * (B_u * (eps_B g * B_u)))).
  { intros g Hgg. destruct (dG g Hgg) as [eA [eB [eC [ew [dB [dC dw]]]]]].
    apply (channel_below d N T C' _ u _ (fun i => c i * exp (s_of_B h g * tau c i))); auto.
    - apply Rmult_le_pos; assumption.
    - intros i Hi. split; [apply Hu, Hi|].
      rewrite (norm_ext N _ (apply d (rows (of_B h) g (minus2 (W_B m) (W_B m'))) (u i))).
      + apply norm_apply; auto.
      + intros n _. unfold b, b', minus2 at 1, apply, dot, rows. rewrite <- sum_minus, <- only_sum. apply sum_ext.
        intros j _. unfold minus2. destruct (Nat.eqb (of_B h n) g); simpl; ring.
    - intros i Hi. apply (weight_nonneg _ M c T i Gc Hi).
    - apply (masked_below _ (A m) c _ M T d N Gc). intros j n Hj Hn E. apply Nat.eqb_eq in E. rewrite <- E.
      apply (tm j n Hj Hn).
    - apply (Hg g c Hgg Gc). }
  assert (part_A : forall g, (g < G)%nat ->
    norm d (channel N T C' (masked (fun j n => Nat.eqb (of_A h j n) g) (fun i j n => om i j n - om1 i j n)) u b')
    <= B_C * B_u * (eps_A g * R2_A g * (B_u * (B_B * B_u)))).
  { intros g Hgg. destruct (dG g Hgg) as [eA _].
    apply (channel_below d N T C' _ u b' (fun i => eps_A g * (c i * tau c i * exp (s_of_A h g * tau c i)))); auto.
    - intros i Hi. destruct (Gc i Hi). pose proof (tau_bounds M c i (gated_before M c T i Gc ltac:(lia))).
      pose proof (exp_pos (s_of_A h g * tau c i)).
      apply Rmult_le_pos; [assumption|]. apply Rmult_le_pos; [apply Rmult_le_pos; lra|lra].
    - intros i j n Hi Hj Hn. destruct (Gc i Hi) as [c0 _].
      pose proof (tau_bounds M c i (gated_before M c T i Gc ltac:(lia))) as [t0 _].
      pose proof (exp_pos (s_of_A h g * tau c i)).
      unfold masked. destruct (Nat.eqb (of_A h j n) g) eqn:E; simpl.
      + apply Nat.eqb_eq in E. unfold om, om1, weights. rewrite <- Rmult_minus_distr_r, Rabs_mult, (Rabs_right (c i)) by lra.
        assert (a1 : A m j n <= s_of_A h g) by (rewrite <- E; apply (tm j n Hj Hn)).
        assert (a2 : A m' j n <= s_of_A h g) by (rewrite <- E; apply (tm' j n Hj Hn)).
        pose proof (one_entry (A m j n) (A m' j n) (s_of_A h g) (tau c i) t0 a1 a2) as K.
        specialize (dA j n Hj Hn). rewrite E in dA.
        assert (Rabs (A m j n - A m' j n) * tau c i * exp (s_of_A h g * tau c i)
          <= eps_A g * tau c i * exp (s_of_A h g * tau c i)).
        { apply Rmult_le_compat_r; [lra|]. apply Rmult_le_compat_r; lra. }
        apply Rle_trans with (eps_A g * tau c i * exp (s_of_A h g * tau c i) * c i).
        * apply Rmult_le_compat_r; lra.
        * right. ring.
      + rewrite Rabs_R0. apply Rmult_le_pos; [assumption|]. apply Rmult_le_pos; [apply Rmult_le_pos; lra|lra].
    - rewrite sum_scal. apply Rmult_le_compat_l; [assumption|]. apply (Hg g c Hgg Gc). }
  assert (block_g : norm d (minus (channel N T C' om1 u b') Y') <= B_C * B_u * (R_g * (B_u * (B_B * B_u))) * eps_g).
  { apply (gate_block d N T (A m') C' u b' (logit d m u) (logit d m' u) M R_1 R_2 R_g s_A); auto.
    intros i Hi. split; [apply (SM i Hi)|split; [apply (SM' i Hi)|apply (dg i Hi)]]. }
  (* sums of parts *)
  assert (gather : forall (X : nat -> R) (part : nat -> nat -> R) (f : nat -> R) r,
    (forall j, (j < r)%nat -> X j = sum G (fun g => part g j)) -> (forall g, (g < G)%nat -> norm r (part g) <= f g) ->
    norm r X <= sum G f).
  { intros X part f r HX Hp. rewrite (norm_ext r X (fun j => sum G (fun g => part g j)) HX).
    eapply Rle_trans; [apply norm_sum|]. apply sum_le. exact Hp. }
  set (S := fun j => minus Y Y' j).
  assert (parts : norm d S <= sum G (fun g => eps_C g * B_u * (R1_C g * (B_u * (B_B * B_u))))
    + sum G (fun g => B_C * B_u * (R1_B g * (B_u * (eps_B g * B_u))))
    + sum G (fun g => B_C * B_u * (eps_A g * R2_A g * (B_u * (B_B * B_u))))
    + B_C * B_u * (R_g * (B_u * (B_B * B_u))) * eps_g).
  { rewrite (norm_ext d S (fun j => channel N T (minus C C') om u b j + channel N T C' om u (minus2 b b') j
      + channel N T C' (fun i j n => om i j n - om1 i j n) u b' j + minus (channel N T C' om1 u b') Y' j)).
    - eapply Rle_trans; [apply norm_triangle|]. apply Rplus_le_compat; [|exact block_g].
      eapply Rle_trans; [apply norm_triangle|]. apply Rplus_le_compat.
      + eapply Rle_trans; [apply norm_triangle|]. apply Rplus_le_compat.
        * eapply gather; [intros j Hj; apply (parts_C N T G _ _ _ _ (of_C h) j (inC j Hj))|exact part_C].
        * eapply gather; [intros j Hj; apply (parts_b N T G _ _ _ _ (of_B h) j (inB j Hj))|exact part_B].
      + eapply gather; [intros j Hj; apply (parts_om N T G _ _ _ _ (of_A h) j (inA j Hj))|exact part_A].
    - intros j _. rewrite <- channel_minus_C, <- channel_minus_b, <- channel_minus_om. unfold S, minus, Y. ring. }
  assert (readout : norm k (apply d (minus2 (W m) (W m')) Y')
    <= sum G (fun g => eps_w g * (B_C * B_u * (R1_w g * (B_u * (B_B * B_u)))))).
  { apply (gather _ (fun g => apply d (columns (of_w h) g (minus2 (W m) (W m')))
      (channel N T C' (masked (fun j _ => Nat.eqb (of_w h j) g) om') u b'))).
    - intros o _. unfold apply, dot. rewrite sum_swap. apply sum_ext. intros j Hj.
      unfold Y'. rewrite (parts_om N T G C' om' u b' (fun j _ => of_w h j) j (in_w j Hj)), <- sum_scal.
      apply sum_ext. intros g _. unfold columns. destruct (Nat.eqb (of_w h j) g) eqn:E; simpl; [reflexivity|].
      unfold channel. rewrite (sum_ext N _ (fun _ => 0)), sum_zero; [ring|]. intros n _.
      rewrite (sum_ext T _ (fun _ => 0)), sum_zero; [ring|]. intros i _. unfold masked. rewrite E. simpl. ring.
    - intros g Hgg. destruct (dG g Hgg) as [eA [eB [eC [ew [dB [dC dw]]]]]]. apply norm_apply; auto. }
  apply Rle_trans with (B_w * norm d S + norm k (apply d (minus2 (W m) (W m')) Y')).
  - rewrite (norm_ext k _ (fun o => apply d (W m) S o + apply d (minus2 (W m) (W m')) Y' o)).
    + eapply Rle_trans; [apply norm_triangle|]. apply Rplus_le_compat_r, SW.
    + intros o _. unfold S. rewrite <- apply_minus, <- apply_minus_r. unfold minus, output. fold c c' C C' b b'.
      fold om om'. fold Y Y'. ring.
  - apply (Rmult_le_compat_l B_w) in parts; [|exact pw].
    eapply Rle_trans; [apply Rplus_le_compat; [exact parts|exact readout]|].
    rewrite (sum_ext G (fun g => eps_C g * B_u * (R1_C g * (B_u * (B_B * B_u)))) (fun g => B_u * B_u * B_u * B_B * (R1_C g * eps_C g)))
      by (intros; ring).
    rewrite (sum_ext G (fun g => B_C * B_u * (R1_B g * (B_u * (eps_B g * B_u)))) (fun g => B_C * B_u * B_u * B_u * (R1_B g * eps_B g)))
      by (intros; ring).
    rewrite (sum_ext G (fun g => B_C * B_u * (eps_A g * R2_A g * (B_u * (B_B * B_u)))) (fun g => B_C * B_u * B_u * B_u * B_B * (R2_A g * eps_A g)))
      by (intros; ring).
    rewrite (sum_ext G (fun g => eps_w g * (B_C * B_u * (R1_w g * (B_u * (B_B * B_u))))) (fun g => B_C * B_u * B_u * B_u * B_B * (R1_w g * eps_w g)))
      by (intros; ring).
    rewrite !sum_scal. right. ring.
Qed.

(* 5.1 *)
Theorem sharp d N k T (m m' : model) u v
    B_B B_C B_w B_u M s_A R_1 R_2 R_g eps_A eps_B eps_C eps_w eps_g kappa :
  in_class d N k T B_B B_C B_w M s_A u m -> in_class d N k T B_B B_C B_w M s_A u m' ->
  (forall i, (i < T)%nat -> norm d (u i) <= B_u) -> norm d v <= B_u ->
  0 <= B_B -> 0 <= B_C -> 0 <= B_w -> 0 <= B_u -> 0 < M ->
  0 <= eps_A -> 0 <= eps_B -> 0 <= eps_C -> 0 <= eps_w -> 0 <= eps_g ->
  (forall j n, (j < d)%nat -> (n < N)%nat -> Rabs (A m j n - A m' j n) <= eps_A) ->
  spectral N d (minus2 (W_B m) (W_B m')) eps_B ->
  spectral N d (minus2 (W_C m) (W_C m')) eps_C ->
  spectral k d (minus2 (W m) (W m')) eps_w ->
  (forall i, (i < T)%nat -> Rabs (logit d m u i - logit d m' u i) <= eps_g) ->
  sums_below T M s_A R_1 R_2 ->
  claims.s5_1.hypothesis_4 B_B B_C B_u B_w kappa ->
  claims.s5_1.hypothesis_6 M R_1 R_2 R_g s_A -> claims.s5_1.hypothesis_7 R_1 R_2 R_g s_A ->
  claims.s5_1.conclusion B_B B_C B_u B_w R_1 R_2 R_g
    (norm k (minus (output d N T m u v) (output d N T m' u v))) eps_A eps_B eps_C eps_g eps_w kappa.
Proof.
  intros cm cm' Hu Hv pB pC pw pu pM eA eB eC ew eg dA dB dC dw dg Hsums H4 H6 H7.
  unfold claims.s5_1.conclusion, claims.s5_1.hypothesis_4 in *. subst kappa.
  set (h := {| of_A := fun _ _ => 0%nat; of_B := fun _ => 0%nat; of_C := fun _ => 0%nat; of_w := fun _ => 0%nat;
    s_of_A := fun _ => s_A; s_of_B := fun _ => s_A; s_of_C := fun _ => s_A; s_of_w := fun _ => s_A |}).
  assert (one : forall x, in_class d N k T B_B B_C B_w M s_A u x -> touched d N 1 s_A h x).
  { intros x [_ [_ [_ [SA _]]]] j n Hj Hn. specialize (SA j n Hj Hn). simpl. repeat split; solve [lia|lra]. }
  eapply Rle_trans; [apply (any_groups d N k T 1 h m m' u v B_B B_C B_w B_u M s_A R_1 R_2 R_g (fun _ => R_2)
    (fun _ => R_1) (fun _ => R_1) (fun _ => R_1) (fun _ => eps_A) (fun _ => eps_B) (fun _ => eps_C) (fun _ => eps_w)
    eps_g); try assumption; try (apply one; assumption)|simpl; right; ring].
  - split; [exact dA|]. split; [|split; assumption]. intros g Hg. replace g with 0%nat by lia.
    repeat (split; [assumption|]). exact dw.
  - intros g c _ G. destruct (Hsums c G). repeat split; assumption.
Qed.

(* 5.2 as it is printed: two groups of each block *)
Theorem two_groups d N k T h (m m' : model) u v B_B B_C B_w B_u M s_A R_1 R_2 R_g
    (R2_A R1_B R1_C R1_w eps_A eps_B eps_C eps_w : nat -> R) eps_g kappa :
  in_class d N k T B_B B_C B_w M s_A u m -> in_class d N k T B_B B_C B_w M s_A u m' ->
  touched d N 2 s_A h m -> touched d N 2 s_A h m' ->
  (forall i, (i < T)%nat -> norm d (u i) <= B_u) -> norm d v <= B_u ->
  0 <= B_B -> 0 <= B_C -> 0 <= B_w -> 0 <= B_u -> 0 < M ->
  moved d N k T 2 h m m' u eps_A eps_B eps_C eps_w eps_g ->
  group_sums T 2 M h R2_A R1_B R1_C R1_w -> sums_below T M s_A R_1 R_2 ->
  claims.s5_2.hypothesis_1 B_B B_C B_u B_w kappa ->
  claims.s5_2.hypothesis_19 M R_1 R_2 R_g s_A -> claims.s5_2.hypothesis_20 R_1 R_2 R_g s_A ->
  claims.s5_2.conclusion B_B B_C B_u B_w (R1_B 0%nat) (R1_B 1%nat) (R1_C 0%nat) (R1_C 1%nat) (R1_w 0%nat) (R1_w 1%nat)
    (R2_A 0%nat) (R2_A 1%nat) R_g (norm k (minus (output d N T m u v) (output d N T m' u v)))
    (eps_A 0%nat) (eps_A 1%nat) (eps_B 0%nat) (eps_B 1%nat) (eps_C 0%nat) (eps_C 1%nat) eps_g
    (eps_w 0%nat) (eps_w 1%nat) kappa.
Proof.
  intros cm cm' tm tm' Hu Hv pB pC pw pu pM mv gs sb H1 H19 H20.
  unfold claims.s5_2.conclusion, claims.s5_2.hypothesis_1 in *. subst kappa.
  eapply Rle_trans; [apply (any_groups d N k T 2 h m m' u v B_B B_C B_w B_u M s_A R_1 R_2 R_g
    R2_A R1_B R1_C R1_w eps_A eps_B eps_C eps_w eps_g); assumption|].
  simpl. right. ring.
Qed.
