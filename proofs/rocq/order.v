(* Theory 15: what the order of a block can change, and four sequences on which a model errs. *)
From Coq Require Import Reals Lra Psatz.
From Coquelicot Require Import Hierarchy.
From SsmBounds Require vectors claims.
Open Scope R_scope.

(* 15.4, in any ring, so for matrices of any size; vectors are matrices padded with zeros *)
Section Group.
Context {G : AbelianGroup}.

Lemma exchange (u x y z w : G) :
  plus (plus u (plus x z)) (plus u (plus y w)) = plus (plus u (plus x w)) (plus u (plus y z)).
Proof.
  rewrite <- !plus_assoc. f_equal. f_equal.
  rewrite (plus_comm z (plus u (plus y w))), (plus_comm w (plus u (plus y z))), <- !plus_assoc.
  f_equal. f_equal. apply plus_comm.
Qed.

Lemma doubled (d p q : G) : plus (plus d d) (plus p q) = plus (plus d p) (plus d q).
Proof.
  rewrite <- !plus_assoc. f_equal. rewrite !plus_assoc. f_equal. apply plus_comm.
Qed.

Lemma opposites (p q : G) : plus (plus (opp p) (opp q)) (plus p q) = zero.
Proof. rewrite <- opp_plus. apply plus_opp_l. Qed.
End Group.

Theorem four_points : claims.s15_4.claim.
Proof.
  intros K E L a b c d h w z. unfold claims.s15_4.conclusion.
  assert (X : plus (mult c (plus h (mult L (plus a (mult E z))))) (mult c (plus h (mult L (plus b (mult E w)))))
    = plus (mult c (plus h (mult L (plus a (mult E w))))) (mult c (plus h (mult L (plus b (mult E z)))))).
  { rewrite !mult_distr_l. apply exchange. }
  rewrite <- (plus_assoc _ (mult c (plus h (mult L (plus a (mult E z))))) _), X, <- (plus_assoc _ (plus d d)).
  rewrite doubled. apply opposites.
Qed.

(* the maps of the model itself: z -> E z + a and z -> E z + b on N states, L any N x N matrix, a linear readout *)
Theorem four_points_vectors N (E L : nat -> nat -> R) (a b c h z w : nat -> R) (d : R) :
  let f := fun (x g : nat -> R) =>
    vectors.dot N c (fun i => vectors.apply N L (fun j => vectors.apply N E x j + g j) i + h i) + d in
  f z a - f z b - f w a + f w b = 0.
Proof.
  intros f. unfold f, vectors.apply, vectors.dot.
  assert (lin : forall x g, vectors.sum N (fun i => c i *
      (vectors.sum N (fun j => L i j * (vectors.sum N (fun l => E j l * x l) + g j)) + h i))
    = vectors.sum N (fun i => c i * vectors.sum N (fun j => L i j * vectors.sum N (fun l => E j l * x l)))
      + vectors.sum N (fun i => c i * vectors.sum N (fun j => L i j * g j)) + vectors.sum N (fun i => c i * h i)).
  { intros x g. rewrite <- !vectors.sum_plus. apply vectors.sum_ext. intros i _.
    rewrite <- !Rmult_plus_distr_l, <- vectors.sum_plus. do 2 f_equal.
    apply vectors.sum_ext. intros j _. ring. }
  rewrite !lin. ring.
Qed.

(* 15.5: four errors whose signed sum is the defect *)
Theorem square : claims.s15_5_square.claim.
Proof.
  intros D e_1 e_2 e_3 e_4 E. unfold claims.s15_5_square.conclusion, claims.s15_5_square.hypothesis_1 in *. subst D.
  assert (S : forall x y, 0 <= (x - y) ^ 2) by (intros; apply pow2_ge_0).
  pose proof (S e_1 (- e_2)). pose proof (S e_1 (- e_3)). pose proof (S e_1 e_4).
  pose proof (S e_2 e_3). pose proof (S e_2 (- e_4)). pose proof (S e_3 (- e_4)). nra.
Qed.

Theorem largest : claims.s15_5_largest.claim.
Proof.
  intros D e_1 e_2 e_3 e_4 m Hm E A B C F.
  unfold claims.s15_5_largest.conclusion, claims.s15_5_largest.hypothesis_1, claims.s15_5_largest.hypothesis_2,
    claims.s15_5_largest.hypothesis_3, claims.s15_5_largest.hypothesis_4, claims.s15_5_largest.hypothesis_5 in *.
  revert A B C F. unfold Rabs. repeat destruct Rcase_abs; lra.
Qed.

Theorem hinge : claims.s15_5_hinge.claim.
Proof.
  intros s_1 s_2 s_3 s_4 E. unfold claims.s15_5_hinge.conclusion, claims.s15_5_hinge.hypothesis_1 in *.
  pose proof (Rmax_r 0 (1 - s_1)). pose proof (Rmax_r 0 (1 - s_2)).
  pose proof (Rmax_r 0 (1 - s_3)). pose proof (Rmax_r 0 (1 - s_4)). lra.
Qed.

Lemma logistic_tangent s : ln 2 - s / 2 <= ln (1 + exp (- s)).
Proof.
  replace (ln 2 - s / 2) with (ln (2 * exp (- s / 2))).
  - assert (2 * exp (- s / 2) <= 1 + exp (- s)).
    { replace (- s) with (- s / 2 + - s / 2) at 2 by field. rewrite exp_plus.
      pose proof (Rle_0_sqr (1 - exp (- s / 2))) as Q. unfold Rsqr in Q. lra. }
    pose proof (exp_pos (- s / 2)). destruct (Req_dec (2 * exp (- s / 2)) (1 + exp (- s))) as [->|N]; [lra|].
    left. apply ln_increasing; lra.
  - rewrite ln_mult, ln_exp; [field|lra|apply exp_pos].
Qed.

Theorem logistic : claims.s15_5_logistic.claim.
Proof.
  intros s_1 s_2 s_3 s_4 E. unfold claims.s15_5_logistic.conclusion, claims.s15_5_logistic.hypothesis_1 in *.
  pose proof (logistic_tangent s_1). pose proof (logistic_tangent s_2).
  pose proof (logistic_tangent s_3). pose proof (logistic_tangent s_4). lra.
Qed.
