(* Printed from the statements by `python -m ssm_bounds.proofs.rocq.claims`: edit those, not this file. *)
From Coq Require Import Reals.
From Coquelicot Require Import Hierarchy.
Open Scope R_scope.

Definition ceiling (x : R) : R := - IZR (Int_part (- x)).

Module s4_3.
Definition conclusion (Delta : R) : Prop :=
  1 - exp (- Delta) <= Rmin 1 Delta.
Definition claim : Prop :=
  forall (Delta : R), 0 <= Delta -> conclusion Delta.
End s4_3.

Module s4_4_factor.
Definition conclusion (b c lambda : R) : Prop :=
  c * (1 - exp (- (lambda * (b + c)))) <= (1 - exp (- (c * lambda))) * (b + c).
Definition claim : Prop :=
  forall (b c lambda : R), 0 <= b -> 0 < c -> 0 < lambda -> conclusion b c lambda.
End s4_4_factor.

Module s4_5.
Definition hypothesis_1 (M c : R) : Prop :=
  c <= M.
Definition hypothesis_2 (M tau : R) (T : nat) : Prop :=
  tau <= M * INR T.
Definition conclusion (M S_1 lambda : R) (T : nat) : Prop :=
  S_1 <= M * (1 - exp (- (M * INR T * lambda))) / (1 - exp (- (M * lambda))).
Definition claim : Prop :=
  forall (M S_1 c lambda tau : R) (T : nat), 0 < M -> 0 <= S_1 -> 0 < c -> 0 < lambda -> 0 <= tau -> (1 <= T)%nat ->
  hypothesis_1 M c -> hypothesis_2 M tau T -> conclusion M S_1 lambda T.
End s4_5.

Module s4_5_R_1_rising.
Definition hypothesis_1 (M c : R) : Prop :=
  c <= M.
Definition hypothesis_2 (n : R) (T : nat) : Prop :=
  n = INR T.
Definition conclusion (M S_1 lambda : R) (T : nat) : Prop :=
  S_1 <= M * (1 - exp (M * INR T * lambda)) / (1 - exp (M * lambda)).
Definition claim : Prop :=
  forall (M S_1 c lambda n : R) (T : nat), 0 < M -> 0 <= S_1 -> 0 < c -> 0 < lambda -> 0 <= n -> (1 <= T)%nat ->
  hypothesis_1 M c -> hypothesis_2 n T -> conclusion M S_1 lambda T.
End s4_5_R_1_rising.

Module s4_5_R_2.
Definition hypothesis_1 (M c : R) : Prop :=
  c <= M.
Definition hypothesis_2 (M tau : R) (T : nat) : Prop :=
  tau <= M * INR T.
Definition hypothesis_3 (n : R) (T : nat) : Prop :=
  n = INR T.
Definition conclusion (M S_2 lambda : R) (T : nat) : Prop :=
  S_2 <= Rmin (M ^ 2 * INR T * (INR T - 1) / 2) (M * (1 - (M * INR T * lambda + 1) * exp (- (M * INR T * lambda))) /
  (lambda * (1 - exp (- (M * lambda))))).
Definition claim : Prop :=
  forall (M S_2 c lambda n tau : R) (T : nat), 0 < M -> 0 <= S_2 -> 0 < c -> 0 < lambda -> 0 <= n -> 0 <= tau -> (1 <=
  T)%nat -> hypothesis_1 M c -> hypothesis_2 M tau T -> hypothesis_3 n T -> conclusion M S_2 lambda T.
End s4_5_R_2.

Module s4_5_R_2_rising.
Definition hypothesis_1 (M c : R) : Prop :=
  c <= M.
Definition hypothesis_2 (n : R) (T : nat) : Prop :=
  n = INR T.
Definition conclusion (M S_2 lambda : R) (T : nat) : Prop :=
  S_2 <= M ^ 2 * ((1 - exp (M * INR T * lambda)) * exp (M * lambda) / (1 - exp (M * lambda)) ^ 2 - INR T * exp (M *
  INR T * lambda) / (1 - exp (M * lambda))).
Definition claim : Prop :=
  forall (M S_2 c lambda n : R) (T : nat), 0 < M -> 0 <= S_2 -> 0 < c -> 0 < lambda -> 0 <= n -> (1 <= T)%nat ->
  hypothesis_1 M c -> hypothesis_2 n T -> conclusion M S_2 lambda T.
End s4_5_R_2_rising.

Module s4_5_zero.
Definition hypothesis_1 (M c : R) : Prop :=
  c <= M.
Definition hypothesis_2 (n : R) (T : nat) : Prop :=
  n = INR T.
Definition conclusion (M S_2 : R) (T : nat) : Prop :=
  S_2 <= M ^ 2 * INR T * (INR T - 1) / 2.
Definition claim : Prop :=
  forall (M S_2 c n : R) (T : nat), 0 < M -> 0 <= S_2 -> 0 < c -> 0 <= n -> (1 <= T)%nat -> hypothesis_1 M c ->
  hypothesis_2 n T -> conclusion M S_2 T.
End s4_5_zero.

Module s5_1.
Definition hypothesis_1 (a s_A : R) : Prop :=
  a <= s_A.
Definition hypothesis_2 (R_1 Sigma_1 : R) : Prop :=
  Sigma_1 <= R_1.
Definition hypothesis_3 (R_2 Sigma_2 : R) : Prop :=
  Sigma_2 <= R_2.
Definition hypothesis_4 (B_B B_C B_u B_w kappa : R) : Prop :=
  kappa = B_B * B_C * B_u ^ 3 * B_w.
Definition hypothesis_5 (M c : R) : Prop :=
  c <= M.
Definition hypothesis_6 (M R_1 R_2 R_g s_A : R) : Prop :=
  s_A <= 0 -> R_g = R_1 + Rabs s_A * Rmin R_2 (M * R_1 / 2).
Definition hypothesis_7 (R_1 R_2 R_g s_A : R) : Prop :=
  s_A > 0 -> R_g = R_1 + R_2 * s_A.
Definition conclusion (B_B B_C B_u B_w R_1 R_2 R_g d_z eps_A eps_B eps_C eps_g eps_w kappa : R) : Prop :=
  d_z <= B_B * B_C * B_u ^ 3 * R_1 * eps_w + B_B * B_u ^ 3 * B_w * R_1 * eps_C + B_C * B_u ^ 3 * B_w * R_1 * eps_B +
  R_2 * eps_A * kappa + R_g * eps_g * kappa.
Definition claim : Prop :=
  forall (B_B B_C B_u B_w M R_1 R_2 R_g Sigma_1 Sigma_2 a c d_z eps_A eps_B eps_C eps_g eps_w kappa s_A : R), 0 <= B_B
  -> 0 <= B_C -> 0 <= B_u -> 0 <= B_w -> 0 <= M -> 0 <= R_1 -> 0 <= R_2 -> 0 <= R_g -> 0 <= Sigma_1 -> 0 <= Sigma_2 ->
  0 < c -> 0 <= d_z -> 0 <= eps_A -> 0 <= eps_B -> 0 <= eps_C -> 0 <= eps_g -> 0 <= eps_w -> 0 <= kappa ->
  hypothesis_1 a s_A -> hypothesis_2 R_1 Sigma_1 -> hypothesis_3 R_2 Sigma_2 -> hypothesis_4 B_B B_C B_u B_w kappa ->
  hypothesis_5 M c -> hypothesis_6 M R_1 R_2 R_g s_A -> hypothesis_7 R_1 R_2 R_g s_A -> conclusion B_B B_C B_u B_w R_1
  R_2 R_g d_z eps_A eps_B eps_C eps_g eps_w kappa.
End s5_1.

Module s5_1_gate.
Definition hypothesis_1 (Y y : R) : Prop :=
  y <= Y.
Definition hypothesis_2 (x : R) : Prop :=
  - 1 <= x.
Definition hypothesis_3 (x : R) : Prop :=
  x <= 1.
Definition hypothesis_4 (S b g h x : R) : Prop :=
  g = exp (- (S * b)) * exp (- (b * h)) * Rabs (S * (b + 1) - x).
Definition conclusion (Sigma_1 Sigma_2 Sigma_g Y : R) : Prop :=
  Sigma_g <= Rmin (Sigma_1 * (Y / 2 + 1)) (Sigma_1 + Sigma_2).
Definition claim : Prop :=
  forall (S Sigma_1 Sigma_2 Sigma_g Y b g h x y : R), 0 <= S -> 0 <= Sigma_1 -> 0 <= Sigma_2 -> 0 <= Sigma_g -> 0 <= Y
  -> 0 <= b -> 0 <= g -> 0 <= h -> 0 < y -> hypothesis_1 Y y -> hypothesis_2 x -> hypothesis_3 x -> hypothesis_4 S b g
  h x -> conclusion Sigma_1 Sigma_2 Sigma_g Y.
End s5_1_gate.
