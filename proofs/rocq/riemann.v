(* Theory 4.1 for a diagonal A, and 4.4: one step of the Riemann lemma. *)
From Coq Require Import Reals Lra Lia Psatz.
From Coquelicot Require Import Coquelicot.
From SsmBounds Require vectors sums claims.
Open Scope R_scope.

(* 4.1, A = diag(a_1, ..., a_n), mu its largest entry or more, x a unit vector *)
Theorem growth_diagonal n (a x : nat -> R) mu tau :
  0 <= tau -> (forall j, (j < n)%nat -> a j <= mu) -> vectors.norm n x = 1 ->
  claims.s4_1.conclusion mu (vectors.norm n (fun j => exp (a j * tau) * x j)) tau.
Proof.
  intros Ht H Hx. unfold claims.s4_1.conclusion. rewrite <- (Rmult_1_r (exp (mu * tau))), <- Hx.
  rewrite <- (vectors.norm_abs n x), <- vectors.norm_scal by (left; apply exp_pos). apply vectors.norm_le. intros j Hj.
  rewrite Rabs_mult, (Rabs_right (exp _)) by (apply Rle_ge; left; apply exp_pos).
  apply Rmult_le_compat_r; [apply Rabs_pos|]. apply sums.exp_le. apply Rmult_le_compat_r; auto.
Qed.

(* 4.4: g(x) e^(lambda x) does not fall on [tau, tau + c] *)
Theorem step (g : R -> R) lambda M c tau : 0 < lambda -> 0 < c -> claims.s4_4.hypothesis_1 M c -> 0 <= g tau ->
  ex_RInt g tau (tau + c) ->
  (forall x, tau <= x <= tau + c -> g tau * exp (lambda * tau) <= g x * exp (lambda * x)) ->
  claims.s4_4.conclusion (RInt g tau (tau + c)) M c (g tau) lambda.
Proof.
  intros Hl Hc HM Hg Hi H. unfold claims.s4_4.conclusion, claims.s4_4.hypothesis_1 in *.
  assert (I : is_RInt (fun x => g tau * exp (- (lambda * (x - tau)))) tau (tau + c)
    (g tau * ((1 - exp (- (lambda * c))) / lambda))).
  { evar_last.
    - apply (is_RInt_derive (fun x => - (g tau * exp (- (lambda * (x - tau)))) / lambda)).
      + intros x _. auto_derive; [exact I|]. unfold Rminus. field. lra.
      + intros x _. apply (ex_derive_continuous (fun y => g tau * exp (- (lambda * (y - tau))))). auto_derive. exact I.
    - unfold minus, plus, opp; simpl. replace (tau + c - tau) with c by ring. replace (tau - tau) with 0 by ring.
      rewrite Rmult_0_r, Ropp_0, exp_0. field. lra. }
  assert (L : g tau * ((1 - exp (- (lambda * c))) / lambda) <= RInt g tau (tau + c)).
  { rewrite <- (is_RInt_unique _ _ _ _ I). apply RInt_le; [lra|eexists; exact I|exact Hi|].
    intros x Hx. apply (Rmult_le_reg_r (exp (lambda * x))); [apply exp_pos|].
    rewrite Rmult_assoc, <- exp_plus. replace (- (lambda * (x - tau)) + lambda * x) with (lambda * tau) by ring.
    apply H. lra. }
  pose proof (sums.gate_loss lambda c M Hl Hc HM) as K.
  replace (M * lambda) with (lambda * M) by ring.
  assert (P : 0 < 1 - exp (- (lambda * M))) by (apply sums.one_minus_exp_pos; nra).
  apply (Rmult_le_reg_r (1 - exp (- (lambda * M)))); [exact P|]. unfold Rdiv at 1.
  rewrite (Rmult_assoc _ (/ _)), Rinv_l, Rmult_1_r by lra.
  apply (Rmult_le_compat_l (g tau)) in K; [|exact Hg].
  apply (Rmult_le_compat_l (M * lambda)) in L; [|apply Rmult_le_pos; lra].
  replace (M * lambda * (g tau * ((1 - exp (- (lambda * c))) / lambda))) with (g tau * (M * (1 - exp (- (lambda * c)))))
    in L by (field; lra). lra.
Qed.
