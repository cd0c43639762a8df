(* Theory 8.1 and 8.12: Kraft sums, and what a prior of total mass at most 1 costs. *)
From Coq Require Import Reals Lra Lia Psatz.
From Coquelicot Require Import Coquelicot.
From SsmBounds Require vectors claims.
Open Scope R_scope.

(* 8.1: the geometric code, h the sum of r^z over all z >= 0 *)
Theorem geometric h r : is_series (fun z => r ^ z) h -> 0 < r -> claims.s8_1_geometric.hypothesis_1 r ->
  claims.s8_1_geometric.conclusion h r.
Proof.
  intros Hh Hr H1. unfold claims.s8_1_geometric.conclusion, claims.s8_1_geometric.hypothesis_1 in *.
  pose proof (is_series_geom r ltac:(rewrite Rabs_right; lra)) as G.
  rewrite <- (is_series_unique _ _ Hh), (is_series_unique _ _ G). field. lra.
Qed.

(* the masses of the integers from -n to n *)
Theorem geometric_partial r n : 0 < r < 1 ->
  (1 - r) / (1 + r) * (1 + 2 * vectors.sum n (fun z => r ^ S z)) < 1.
Proof.
  intros Hr. assert (E : vectors.sum n (fun z => r ^ S z) = r * (1 - r ^ n) / (1 - r)).
  { induction n as [|n IH]; [simpl; field; lra|]. rewrite vectors.sum_S, IH. simpl. field. lra. }
  rewrite E. replace ((1 - r) / (1 + r) * (1 + 2 * (r * (1 - r ^ n) / (1 - r)))) with (1 - 2 * r * r ^ n / (1 + r))
    by (field; lra).
  assert (0 < 2 * r * r ^ n / (1 + r)); [|lra].
  apply Rdiv_lt_0_compat; [apply Rmult_lt_0_compat; [lra|apply pow_lt; lra]|lra].
Qed.

(* 8.12: k symbols, symbol a seen count a times *)
Theorem krichevsky_trofimov (k : nat) (count : nat -> nat) c :
  (0 < k)%nat -> claims.s8_12.hypothesis_1 c (INR k) ->
  claims.s8_12.conclusion (vectors.sum k (fun a => INR (count a) + 1 / 2)) c (vectors.sum k (fun a => INR (count a))).
Proof.
  intros Hk Hc. unfold claims.s8_12.conclusion, claims.s8_12.hypothesis_1 in *.
  rewrite vectors.sum_plus, vectors.sum_const.
  assert (0 <= vectors.sum k (fun a => INR (count a))) by (apply vectors.sum_nonneg; intros; apply pos_INR).
  pose proof (lt_0_INR k Hk). replace (INR k) with (2 * c) in * by lra. field. lra.
Qed.

(* 8.1: countably many events. That the chance of a union is at most the sum, and the level of one, are premises *)
Theorem occam (one mass : nat -> R) P delta :
  0 < delta -> (forall n, 0 <= one n <= delta * mass n) -> ex_series mass ->
  claims.s8_1.hypothesis_1 (Series mass) -> P <= Series one -> claims.s8_1.conclusion P delta.
Proof.
  intros Hd H Hm H1 HP. unfold claims.s8_1.conclusion, claims.s8_1.hypothesis_1 in *.
  assert (Series one <= Series (fun n => delta * mass n)).
  { apply Series_le; [exact H|]. apply (ex_series_scal_l delta mass Hm). }
  rewrite Series_scal_l in *. assert (delta * Series mass <= delta * 1) by (apply Rmult_le_compat_l; lra). lra.
Qed.
