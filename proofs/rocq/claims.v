(* Printed from the statements by `python -m ssm_bounds.proofs.rocq.claims`: edit those, not this file. *)
From Coq Require Import Reals.
From Coquelicot Require Import Hierarchy.
Open Scope R_scope.

Definition ceiling (x : R) : R := - IZR (Int_part (- x)).

Module paper_C_9.
Definition conclusion (S epsilon gamma : R) : Prop :=
  gamma ^ 3 / epsilon ^ 2 <= S.
Definition claim : Prop :=
  forall (S epsilon gamma : R), 0 < S -> 0 < epsilon -> 0 < gamma -> conclusion S epsilon gamma.
End paper_C_9.

Module s3_2_box.
Definition hypothesis_1 (epsilon r x y : R) : Prop :=
  y - r / Rmax 1 (ceiling (r / epsilon)) <= x.
Definition hypothesis_2 (epsilon r x y : R) : Prop :=
  x <= r / Rmax 1 (ceiling (r / epsilon)) + y.
Definition conclusion (epsilon x y : R) : Prop :=
  Rabs (x - y) <= epsilon.
Definition claim : Prop :=
  forall (epsilon r x y : R), 0 < epsilon -> 0 <= r -> hypothesis_1 epsilon r x y -> hypothesis_2 epsilon r x y ->
  conclusion epsilon x y.
End s3_2_box.

Module s3_3_gate.
Definition hypothesis_1 (p p_lo : R) : Prop :=
  p_lo <= p.
Definition hypothesis_2 (p p_hi : R) : Prop :=
  p <= p_hi.
Definition hypothesis_3 (B_q n_q : R) : Prop :=
  n_q <= B_q.
Definition hypothesis_4 (p_hi p_lo r_p : R) : Prop :=
  r_p = p_hi / 2 - p_lo / 2.
Definition conclusion (B_q B_u n_q p p_hi p_lo r_p : R) : Prop :=
  B_u * n_q + Rabs (p_hi / 2 + p_lo / 2 - p) <= B_q * B_u + r_p.
Definition claim : Prop :=
  forall (B_q B_u n_q p p_hi p_lo r_p : R), 0 <= B_q -> 0 <= B_u -> 0 <= n_q -> 0 <= r_p -> hypothesis_1 p p_lo ->
  hypothesis_2 p p_hi -> hypothesis_3 B_q n_q -> hypothesis_4 p_hi p_lo r_p -> conclusion B_q B_u n_q p p_hi p_lo r_p.
End s3_3_gate.

Module s3_4.
Definition conclusion (g mu n : R) : Prop :=
  g * mu * (sqrt (1 + 4 * n / (g * mu)) + 1) / (2 * (g + 2 * n / (mu * (sqrt (1 + 4 * n / (g * mu)) + 1)))) = mu.
Definition claim : Prop :=
  forall (g mu n : R), 0 < g -> 0 < mu -> 0 < n -> conclusion g mu n.
End s3_4.

Module s3_4_best.
Definition hypothesis_1 (eta_i g_i mu n_i : R) : Prop :=
  g_i * n_i / (eta_i * (eta_i + g_i)) = mu.
Definition hypothesis_2 (s_eta : R) : Prop :=
  s_eta = 1.
Definition hypothesis_3 (s_zeta : R) : Prop :=
  s_zeta = 1.
Definition conclusion (C_eta C_zeta : R) : Prop :=
  C_eta <= C_zeta.
Definition claim : Prop :=
  forall (C_eta C_zeta eta_i g_i mu n_i s_eta s_zeta : R), 0 <= C_eta -> 0 <= C_zeta -> 0 < eta_i -> 0 < g_i -> 0 < mu
  -> 0 < n_i -> 0 < s_eta -> 0 < s_zeta -> hypothesis_1 eta_i g_i mu n_i -> hypothesis_2 s_eta -> hypothesis_3 s_zeta
  -> conclusion C_eta C_zeta.
End s3_4_best.

Module s3_4_product.
Definition hypothesis_1 (d_i eps_i : R) : Prop :=
  d_i <= eps_i.
Definition hypothesis_2 (D d_z : R) : Prop :=
  d_z <= D.
Definition conclusion (d_z epsilon : R) : Prop :=
  d_z <= epsilon.
Definition claim : Prop :=
  forall (D d_i d_z eps_i epsilon : R), 0 <= D -> 0 <= d_i -> 0 <= d_z -> 0 <= eps_i -> 0 < epsilon -> hypothesis_1
  d_i eps_i -> hypothesis_2 D d_z -> conclusion d_z epsilon.
End s3_4_product.

Module s3_5.
Definition hypothesis_1 (H H_1 : R) : Prop :=
  H <= H_1.
Definition hypothesis_2 (H H_2 : R) : Prop :=
  H <= H_2.
Definition conclusion (H H_1 H_2 : R) : Prop :=
  H <= Rmin H_1 H_2.
Definition claim : Prop :=
  forall (H H_1 H_2 : R), 0 <= H -> 0 <= H_1 -> 0 <= H_2 -> hypothesis_1 H H_1 -> hypothesis_2 H H_2 -> conclusion H
  H_1 H_2.
End s3_5.

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
