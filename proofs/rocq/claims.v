(* Printed from the statements by `python -m ssm_bounds.proofs.rocq.claims`: edit those, not this file. *)
From Coq Require Import Reals.
From Coquelicot Require Import Hierarchy.
Open Scope R_scope.

Definition ceiling (x : R) : R := - IZR (Int_part (- x)).

(* paper:3.3-factor *)
Module paper_3_3_factor.
Definition hypothesis_1 (rho : R) : Prop :=
  rho < 1.
Definition conclusion (rho : R) (T : nat) : Prop :=
  rho * (1 - rho ^ T) / (1 - rho) ^ 2 - INR T * rho ^ T / (1 - rho) <= rho * (1 - rho ^ T) / (1 - rho) ^ 2.
Definition claim : Prop :=
  forall (rho : R) (T : nat),
    0 < rho -> (1 <= T)%nat -> hypothesis_1 rho -> conclusion rho T.
End paper_3_3_factor.

(* paper:C.4 *)
Module paper_C_4.
Definition conclusion (ell h : R) : Prop :=
  Rabs (ln (exp ell + 1) - ln (exp (ell + h) + 1)) <= h.
Definition claim : Prop :=
  forall (ell h : R),
    0 <= h -> conclusion ell h.
End paper_C_4.

(* paper:C.9 *)
Module paper_C_9.
Definition conclusion (S epsilon gamma : R) : Prop :=
  gamma ^ 3 / epsilon ^ 2 <= S.
End paper_C_9.

(* 3.2-box *)
Module s3_2_box.
Definition hypothesis_1 (epsilon r x y : R) : Prop :=
  y - r / Rmax 1 (ceiling (r / epsilon)) <= x.
Definition hypothesis_2 (epsilon r x y : R) : Prop :=
  x <= r / Rmax 1 (ceiling (r / epsilon)) + y.
Definition conclusion (epsilon x y : R) : Prop :=
  Rabs (x - y) <= epsilon.
Definition claim : Prop :=
  forall (epsilon r x y : R),
    0 < epsilon -> 0 <= r -> hypothesis_1 epsilon r x y -> hypothesis_2 epsilon r x y -> conclusion epsilon x y.
End s3_2_box.

(* 3.3-gate *)
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
  forall (B_q B_u n_q p p_hi p_lo r_p : R),
    0 <= B_q -> 0 <= B_u -> 0 <= n_q -> 0 <= r_p -> hypothesis_1 p p_lo -> hypothesis_2 p p_hi -> hypothesis_3 B_q n_q
    -> hypothesis_4 p_hi p_lo r_p -> conclusion B_q B_u n_q p p_hi p_lo r_p.
End s3_3_gate.

(* 3.4 *)
Module s3_4.
Definition conclusion (g mu n : R) : Prop :=
  g * mu * (sqrt (1 + 4 * n / (g * mu)) + 1) / (2 * (g + 2 * n / (mu * (sqrt (1 + 4 * n / (g * mu)) + 1)))) = mu.
Definition claim : Prop :=
  forall (g mu n : R),
    0 < g -> 0 < mu -> 0 < n -> conclusion g mu n.
End s3_4.

(* 3.4-best *)
Module s3_4_best.
Definition hypothesis_1 (eta_i g_i mu n_i : R) : Prop :=
  g_i * n_i / (eta_i * (eta_i + g_i)) = mu.
Definition hypothesis_2 (s_eta : R) : Prop :=
  s_eta = 1.
Definition hypothesis_3 (s_zeta : R) : Prop :=
  s_zeta = 1.
Definition conclusion (C_eta C_zeta : R) : Prop :=
  C_eta <= C_zeta.
End s3_4_best.

(* 3.4-product *)
Module s3_4_product.
Definition hypothesis_1 (d_i eps_i : R) : Prop :=
  d_i <= eps_i.
Definition hypothesis_2 (D d_z : R) : Prop :=
  d_z <= D.
Definition conclusion (d_z epsilon : R) : Prop :=
  d_z <= epsilon.
End s3_4_product.

(* 3.5 *)
Module s3_5.
Definition hypothesis_1 (H H_1 : R) : Prop :=
  H <= H_1.
Definition hypothesis_2 (H H_2 : R) : Prop :=
  H <= H_2.
Definition conclusion (H H_1 H_2 : R) : Prop :=
  H <= Rmin H_1 H_2.
Definition claim : Prop :=
  forall (H H_1 H_2 : R),
    0 <= H -> 0 <= H_1 -> 0 <= H_2 -> hypothesis_1 H H_1 -> hypothesis_2 H H_2 -> conclusion H H_1 H_2.
End s3_5.

(* 4.1 *)
Module s4_1.
Definition conclusion (mu n_tau tau : R) : Prop :=
  n_tau <= exp (mu * tau).
End s4_1.

(* 4.3 *)
Module s4_3.
Definition conclusion (Delta : R) : Prop :=
  1 - exp (- Delta) <= Rmin 1 Delta.
Definition claim : Prop :=
  forall (Delta : R),
    0 <= Delta -> conclusion Delta.
End s4_3.

(* 4.4 *)
Module s4_4.
Definition hypothesis_1 (M c : R) : Prop :=
  c <= M.
Definition conclusion (I M c g lambda : R) : Prop :=
  c * g <= I * M * lambda / (1 - exp (- (M * lambda))).
End s4_4.

(* 4.4-factor *)
Module s4_4_factor.
Definition conclusion (b c lambda : R) : Prop :=
  c * (1 - exp (- (lambda * (b + c)))) <= (1 - exp (- (c * lambda))) * (b + c).
Definition claim : Prop :=
  forall (b c lambda : R),
    0 <= b -> 0 < c -> 0 < lambda -> conclusion b c lambda.
End s4_4_factor.

(* 4.5 *)
Module s4_5.
Definition hypothesis_1 (M c : R) : Prop :=
  c <= M.
Definition hypothesis_2 (M tau : R) (T : nat) : Prop :=
  tau <= M * INR T.
Definition conclusion (M S_1 lambda : R) (T : nat) : Prop :=
  S_1 <= M * (1 - exp (- (M * INR T * lambda))) / (1 - exp (- (M * lambda))).
End s4_5.

(* 4.5-R_1-rising *)
Module s4_5_R_1_rising.
Definition hypothesis_1 (M c : R) : Prop :=
  c <= M.
Definition hypothesis_2 (n : R) (T : nat) : Prop :=
  n = INR T.
Definition conclusion (M S_1 lambda : R) (T : nat) : Prop :=
  S_1 <= M * (1 - exp (M * INR T * lambda)) / (1 - exp (M * lambda)).
End s4_5_R_1_rising.

(* 4.5-R_2 *)
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
End s4_5_R_2.

(* 4.5-R_2-rising *)
Module s4_5_R_2_rising.
Definition hypothesis_1 (M c : R) : Prop :=
  c <= M.
Definition hypothesis_2 (n : R) (T : nat) : Prop :=
  n = INR T.
Definition conclusion (M S_2 lambda : R) (T : nat) : Prop :=
  S_2 <= M ^ 2 * ((1 - exp (M * INR T * lambda)) * exp (M * lambda) / (1 - exp (M * lambda)) ^ 2 - INR T * exp (M *
    INR T * lambda) / (1 - exp (M * lambda))).
End s4_5_R_2_rising.

(* 4.5-loss *)
Module s4_5_loss.
Definition hypothesis_1 (x : R) : Prop :=
  x >= 1 / 10.
Definition hypothesis_2 (x : R) : Prop :=
  x <= 10.
Definition conclusion (x : R) : Prop :=
  Rmin 1 ((1 - (2 * x + 1) * exp (- (2 * x))) / (x * (1 - exp (- x)))) < 3 * exp (- Rmin 1 x) / Rmax 1 x.
Definition claim : Prop :=
  forall (x : R),
    0 < x -> hypothesis_1 x -> hypothesis_2 x -> conclusion x.
End s4_5_loss.

(* 4.5-uniform *)
Module s4_5_uniform.
Definition conclusion (M lambda : R) (T : nat) : Prop :=
  M * (1 - exp (- (M * INR T * lambda))) / (1 - exp (- (M * lambda))) <= M + / lambda /\ Rmin (M ^ 2 * INR T * (INR T
    - 1) / 2) (M * (1 - (M * INR T * lambda + 1) * exp (- (M * INR T * lambda))) / (lambda * (1 - exp (- (M *
    lambda))))) <= M * (1 - exp (- (M * INR T * lambda))) / (lambda * (1 - exp (- (M * lambda)))).
Definition claim : Prop :=
  forall (M lambda : R) (T : nat),
    0 < M -> 0 < lambda -> (1 <= T)%nat -> conclusion M lambda T.
End s4_5_uniform.

(* 4.5-zero *)
Module s4_5_zero.
Definition hypothesis_1 (M c : R) : Prop :=
  c <= M.
Definition hypothesis_2 (n : R) (T : nat) : Prop :=
  n = INR T.
Definition conclusion (M S_2 : R) (T : nat) : Prop :=
  S_2 <= M ^ 2 * INR T * (INR T - 1) / 2.
End s4_5_zero.

(* 5.1 *)
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
End s5_1.

(* 5.1-gate *)
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
End s5_1_gate.

(* 5.2 *)
Module s5_2.
Definition hypothesis_1 (B_B B_C B_u B_w kappa : R) : Prop :=
  kappa = B_B * B_C * B_u ^ 3 * B_w.
Definition hypothesis_2 (R1_A1 Sigma1_A1 : R) : Prop :=
  Sigma1_A1 <= R1_A1.
Definition hypothesis_3 (R1_A2 Sigma1_A2 : R) : Prop :=
  Sigma1_A2 <= R1_A2.
Definition hypothesis_4 (R1_B1 Sigma1_B1 : R) : Prop :=
  Sigma1_B1 <= R1_B1.
Definition hypothesis_5 (R1_B2 Sigma1_B2 : R) : Prop :=
  Sigma1_B2 <= R1_B2.
Definition hypothesis_6 (R1_C1 Sigma1_C1 : R) : Prop :=
  Sigma1_C1 <= R1_C1.
Definition hypothesis_7 (R1_C2 Sigma1_C2 : R) : Prop :=
  Sigma1_C2 <= R1_C2.
Definition hypothesis_8 (R1_w1 Sigma1_w1 : R) : Prop :=
  Sigma1_w1 <= R1_w1.
Definition hypothesis_9 (R1_w2 Sigma1_w2 : R) : Prop :=
  Sigma1_w2 <= R1_w2.
Definition hypothesis_10 (R2_A1 Sigma2_A1 : R) : Prop :=
  Sigma2_A1 <= R2_A1.
Definition hypothesis_11 (R2_A2 Sigma2_A2 : R) : Prop :=
  Sigma2_A2 <= R2_A2.
Definition hypothesis_12 (R2_B1 Sigma2_B1 : R) : Prop :=
  Sigma2_B1 <= R2_B1.
Definition hypothesis_13 (R2_B2 Sigma2_B2 : R) : Prop :=
  Sigma2_B2 <= R2_B2.
Definition hypothesis_14 (R2_C1 Sigma2_C1 : R) : Prop :=
  Sigma2_C1 <= R2_C1.
Definition hypothesis_15 (R2_C2 Sigma2_C2 : R) : Prop :=
  Sigma2_C2 <= R2_C2.
Definition hypothesis_16 (R2_w1 Sigma2_w1 : R) : Prop :=
  Sigma2_w1 <= R2_w1.
Definition hypothesis_17 (R2_w2 Sigma2_w2 : R) : Prop :=
  Sigma2_w2 <= R2_w2.
Definition hypothesis_18 (M c : R) : Prop :=
  c <= M.
Definition hypothesis_19 (M R_1 R_2 R_g s_A : R) : Prop :=
  s_A <= 0 -> R_g = R_1 + Rabs s_A * Rmin R_2 (M * R_1 / 2).
Definition hypothesis_20 (R_1 R_2 R_g s_A : R) : Prop :=
  s_A > 0 -> R_g = R_1 + R_2 * s_A.
Definition conclusion (B_B B_C B_u B_w R1_B1 R1_B2 R1_C1 R1_C2 R1_w1 R1_w2 R2_A1 R2_A2 R_g d_z eps_A1 eps_A2 eps_B1
    eps_B2 eps_C1 eps_C2 eps_g eps_w1 eps_w2 kappa : R) : Prop :=
  d_z <= B_B * B_C * B_u ^ 3 * R1_w1 * eps_w1 + B_B * B_C * B_u ^ 3 * R1_w2 * eps_w2 + B_B * B_u ^ 3 * B_w * R1_C1 *
    eps_C1 + B_B * B_u ^ 3 * B_w * R1_C2 * eps_C2 + B_C * B_u ^ 3 * B_w * R1_B1 * eps_B1 + B_C * B_u ^ 3 * B_w * R1_B2
    * eps_B2 + R2_A1 * eps_A1 * kappa + R2_A2 * eps_A2 * kappa + R_g * eps_g * kappa.
End s5_2.

(* 6.3 *)
Module s6_3.
Definition hypothesis_1 (L_mu epsilon g : R) : Prop :=
  L_mu * epsilon <= g / 2.
Definition hypothesis_2 (L_mu epsilon mu mu_0 : R) : Prop :=
  mu - mu_0 <= L_mu * epsilon.
Definition hypothesis_3 (L_mu epsilon mu mu_0 : R) : Prop :=
  mu_0 - mu <= L_mu * epsilon.
Definition conclusion (g mu mu_0 : R) : Prop :=
  (mu <= 0 -> mu_0 <= g / 2) /\ (mu_0 <= g / 2 -> mu <= g).
Definition claim : Prop :=
  forall (L_mu epsilon g mu mu_0 : R),
    0 < L_mu -> 0 < epsilon -> 0 < g -> hypothesis_1 L_mu epsilon g -> hypothesis_2 L_mu epsilon mu mu_0
    -> hypothesis_3 L_mu epsilon mu mu_0 -> conclusion g mu mu_0.
End s6_3.

(* 6.3-lipschitz *)
Module s6_3_lipschitz.
Definition hypothesis_1 (D x_j x_y z_j z_y : R) : Prop :=
  D ^ 2 >= (z_j - x_j) ^ 2 + (z_y - x_y) ^ 2.
Definition hypothesis_2 (m_x x_j : R) : Prop :=
  m_x = x_j.
Definition hypothesis_3 (m_z z_j : R) : Prop :=
  m_z >= z_j.
Definition conclusion (D m_x m_z x_y z_y : R) : Prop :=
  m_x + z_y - m_z - x_y <= sqrt 2 * D.
Definition claim : Prop :=
  forall (D m_x m_z x_j x_y z_j z_y : R),
    0 <= D -> hypothesis_1 D x_j x_y z_j z_y -> hypothesis_2 m_x x_j -> hypothesis_3 m_z z_j
    -> conclusion D m_x m_z x_y z_y.
End s6_3_lipschitz.

(* 6.4 *)
Module s6_4.
Definition hypothesis_1 (H c : R) : Prop :=
  H <= c.
Definition conclusion (H c : R) : Prop :=
  1 - exp (- H) <= 1 - exp (- c).
Definition claim : Prop :=
  forall (H c : R),
    0 < H -> 0 < c -> hypothesis_1 H c -> conclusion H c.
End s6_4.

(* 6.4-ramp *)
Module s6_4_ramp.
Definition hypothesis_1 (D L_mu mu nu : R) : Prop :=
  Rabs (mu - nu) <= D * L_mu.
Definition conclusion (D L_mu g mu nu : R) : Prop :=
  Rabs (Rmin 1 (Rmax 0 (1 - mu / g)) - Rmin 1 (Rmax 0 (1 - nu / g))) <= D * L_mu / g.
Definition claim : Prop :=
  forall (D L_mu g mu nu : R),
    0 < D -> 0 < L_mu -> 0 < g -> hypothesis_1 D L_mu mu nu -> conclusion D L_mu g mu nu.
End s6_4_ramp.

(* 6.4-softmax *)
Module s6_4_softmax.
Definition hypothesis_1 (H c : R) : Prop :=
  H <= c.
Definition hypothesis_2 (H Q n_grad : R) : Prop :=
  n_grad ^ 2 = Q + (1 - exp (- H)) ^ 2.
Definition hypothesis_3 (H P : R) : Prop :=
  P = 1 - exp (- H).
Definition conclusion (c n_grad : R) : Prop :=
  n_grad <= sqrt 2 * (1 - exp (- c)).
End s6_4_softmax.

(* 7-grid *)
Module s7_grid.
Definition hypothesis_1 (G_minus G_plus : R) : Prop :=
  G_plus = Rpower 2 (1 / 8) * G_minus.
Definition hypothesis_2 (G_minus v : R) : Prop :=
  G_minus < v.
Definition conclusion (G_plus v : R) : Prop :=
  G_plus <= Rpower 2 (1 / 8) * v.
Definition claim : Prop :=
  forall (G_minus G_plus v : R),
    0 < G_minus -> 0 < G_plus -> 0 < v -> hypothesis_1 G_minus G_plus -> hypothesis_2 G_minus v -> conclusion G_plus v.
End s7_grid.

(* 7-split *)
Module s7_split.
Definition hypothesis_1 (X x : R) : Prop :=
  x <= X.
Definition hypothesis_2 (X : R) (k : nat) : Prop :=
  X / 4 <= INR k + 1.
Definition hypothesis_3 (X_plus x : R) (k : nat) : Prop :=
  X_plus <= Rpower 2 (/ (4 * INR k + 4)) * x.
Definition conclusion (X_plus x : R) : Prop :=
  X_plus - x <= 1.
Definition claim : Prop :=
  forall (X X_plus x : R) (k : nat),
    0 < X -> 0 < X_plus -> 0 < x -> hypothesis_1 X x -> hypothesis_2 X k -> hypothesis_3 X_plus x k
    -> conclusion X_plus x.
End s7_split.

(* 7-weights *)
Module s7_weights.
Definition conclusion (W : R) : Prop :=
  W + 1 / 4 <= 3 / 4.
End s7_weights.

(* 8.1 *)
Module s8_1.
Definition hypothesis_1 (Pi : R) : Prop :=
  Pi <= 1.
Definition conclusion (P delta : R) : Prop :=
  P <= delta.
End s8_1.

(* 8.1-geometric *)
Module s8_1_geometric.
Definition hypothesis_1 (r : R) : Prop :=
  r < 1.
Definition conclusion (h r : R) : Prop :=
  (1 - r) * (2 * h - 1) / (r + 1) = 1.
End s8_1_geometric.

(* 8.5 *)
Module s8_5.
Definition hypothesis_1 (Pi : R) : Prop :=
  Pi <= 1.
Definition conclusion (P delta : R) : Prop :=
  P <= delta.
End s8_5.

(* 8.5-catoni *)
Module s8_5_catoni.
Definition hypothesis_1 (v : R) : Prop :=
  v <= 1.
Definition conclusion (lambda v : R) : Prop :=
  ln (lambda * v + 1) >= v * ln (lambda + 1).
Definition claim : Prop :=
  forall (lambda v : R),
    0 <= lambda -> 0 <= v -> hypothesis_1 v -> conclusion lambda v.
End s8_5_catoni.

(* 8.5-floor *)
Module s8_5_floor.
Definition hypothesis_1 (t : R) : Prop :=
  t <= 1.
Definition conclusion (a b lambda q t : R) : Prop :=
  b - (a * t - 1) / lambda >= q + (1 - t) * (b - q).
End s8_5_floor.

(* 8.6-bernstein *)
Module s8_6_bernstein.
Definition conclusion (v w : R) : Prop :=
  ln (v * w + 1) - ln (v + 1) >= v * (w - 1) / (v + 1) - (w - 1) ^ 2 * (ln (v + 1) - v / (v + 1)).
Definition claim : Prop :=
  forall (v w : R),
    0 <= v -> 0 <= w -> conclusion v w.
End s8_6_bernstein.

(* 8.6-concave *)
Module s8_6_concave.
Definition conclusion (S U m n : R) : Prop :=
  S <= U / m - n.
End s8_6_concave.

(* 8.7-rising *)
Module s8_7_rising.
Definition hypothesis_1 (b s t : R) : Prop :=
  s <= b * t.
Definition hypothesis_2 (T t : R) : Prop :=
  t <= T.
Definition hypothesis_3 (q r : R) : Prop :=
  r <= q.
Definition hypothesis_4 (b q : R) : Prop :=
  q < b.
Definition hypothesis_5 (nu : R) : Prop :=
  nu < 1.
Definition conclusion (b q r s t : R) : Prop :=
  (s - q * t) / (b - q) <= (s - r * t) / (b - r).
Definition claim : Prop :=
  forall (T b nu q r s t : R),
    0 < T -> 0 < nu -> 0 < t -> hypothesis_1 b s t -> hypothesis_2 T t -> hypothesis_3 q r -> hypothesis_4 b q
    -> hypothesis_5 nu -> conclusion b q r s t.
End s8_7_rising.

(* 8.10 *)
Module s8_10.
Definition conclusion (alpha beta x : R) : Prop :=
  - ln (alpha + beta * x) <= - ln alpha.
Definition claim : Prop :=
  forall (alpha beta x : R),
    0 < alpha -> 0 < beta -> 0 <= x -> conclusion alpha beta x.
End s8_10.

(* 8.12 *)
Module s8_12.
Definition hypothesis_1 (c k : R) : Prop :=
  k = 2 * c.
Definition conclusion (S c n : R) : Prop :=
  S / (c + n) = 1.
End s8_12.

(* 15.4 *)
Module s15_4.
Definition conclusion (K : Ring) (E L a b c d h w z : K) : Prop :=
  plus (plus (plus (plus (opp (plus d (mult c (plus h (mult L (plus a (mult E w))))))) (opp (plus d (mult c (plus h
    (mult L (plus b (mult E z)))))))) (plus d d)) (mult c (plus h (mult L (plus a (mult E z)))))) (mult c (plus h
    (mult L (plus b (mult E w))))) = zero.
Definition claim : Prop :=
  forall (K : Ring) (E L a b c d h w z : K),
    conclusion K E L a b c d h w z.
End s15_4.

(* 15.5-hinge *)
Module s15_5_hinge.
Definition hypothesis_1 (s_1 s_2 s_3 s_4 : R) : Prop :=
  s_1 + s_2 + s_3 + s_4 = 0.
Definition conclusion (s_1 s_2 s_3 s_4 : R) : Prop :=
  1 <= Rmax 0 (1 - s_1) / 4 + Rmax 0 (1 - s_2) / 4 + Rmax 0 (1 - s_3) / 4 + Rmax 0 (1 - s_4) / 4.
Definition claim : Prop :=
  forall (s_1 s_2 s_3 s_4 : R),
    hypothesis_1 s_1 s_2 s_3 s_4 -> conclusion s_1 s_2 s_3 s_4.
End s15_5_hinge.

(* 15.5-largest *)
Module s15_5_largest.
Definition hypothesis_1 (D e_1 e_2 e_3 e_4 : R) : Prop :=
  D = e_1 + e_4 - e_2 - e_3.
Definition hypothesis_2 (e_1 m : R) : Prop :=
  Rabs e_1 <= m.
Definition hypothesis_3 (e_2 m : R) : Prop :=
  Rabs e_2 <= m.
Definition hypothesis_4 (e_3 m : R) : Prop :=
  Rabs e_3 <= m.
Definition hypothesis_5 (e_4 m : R) : Prop :=
  Rabs e_4 <= m.
Definition conclusion (D m : R) : Prop :=
  Rabs D / 4 <= m.
Definition claim : Prop :=
  forall (D e_1 e_2 e_3 e_4 m : R),
    0 <= m -> hypothesis_1 D e_1 e_2 e_3 e_4 -> hypothesis_2 e_1 m -> hypothesis_3 e_2 m -> hypothesis_4 e_3 m
    -> hypothesis_5 e_4 m -> conclusion D m.
End s15_5_largest.

(* 15.5-logistic *)
Module s15_5_logistic.
Definition hypothesis_1 (s_1 s_2 s_3 s_4 : R) : Prop :=
  s_1 + s_2 + s_3 + s_4 = 0.
Definition conclusion (s_1 s_2 s_3 s_4 : R) : Prop :=
  ln 2 <= ln (1 + exp (- s_1)) / 4 + ln (1 + exp (- s_2)) / 4 + ln (1 + exp (- s_3)) / 4 + ln (1 + exp (- s_4)) / 4.
Definition claim : Prop :=
  forall (s_1 s_2 s_3 s_4 : R),
    hypothesis_1 s_1 s_2 s_3 s_4 -> conclusion s_1 s_2 s_3 s_4.
End s15_5_logistic.

(* 15.5-square *)
Module s15_5_square.
Definition hypothesis_1 (D e_1 e_2 e_3 e_4 : R) : Prop :=
  D = e_1 + e_4 - e_2 - e_3.
Definition conclusion (D e_1 e_2 e_3 e_4 : R) : Prop :=
  D ^ 2 / 16 <= e_1 ^ 2 / 4 + e_2 ^ 2 / 4 + e_3 ^ 2 / 4 + e_4 ^ 2 / 4.
Definition claim : Prop :=
  forall (D e_1 e_2 e_3 e_4 : R),
    hypothesis_1 D e_1 e_2 e_3 e_4 -> conclusion D e_1 e_2 e_3 e_4.
End s15_5_square.

(* M1.1 *)
Module M1_1.
Definition hypothesis_1 (c r x : R) : Prop :=
  Rabs (c - x) <= r.
Definition hypothesis_2 (e : R) : Prop :=
  e <= 1.
Definition conclusion (Sigma_r Sigma_x : R) : Prop :=
  Sigma_x <= Sigma_r.
End M1_1.

(* M1.2 *)
Module M1_2.
Definition conclusion (g h x : R) : Prop :=
  x / (1 + exp (- x)) <= Rmax ((x - g) / (exp (g - x) + 1)) ((h + x) / (exp (- h - x) + 1)).
Definition claim : Prop :=
  forall (g h x : R),
    0 <= g -> 0 <= h -> conclusion g h x.
End M1_2.

(* M1.4 *)
Module M1_4.
Definition hypothesis_1 (g x : R) : Prop :=
  x >= - g.
Definition hypothesis_2 (h x : R) : Prop :=
  x <= h.
Definition conclusion (g h x : R) : Prop :=
  x / (1 + exp (- x)) <= h * (g + x) / (g + h).
Definition claim : Prop :=
  forall (g h x : R),
    0 < g -> 0 < h -> hypothesis_1 g x -> hypothesis_2 h x -> conclusion g h x.
End M1_4.

(* M2.1 *)
Module M2_1.
Definition conclusion (ell g lo r : R) : Prop :=
  Rmin (g + lo) (Rmax lo (ln (exp ell + 1))) <= Rmin (g + lo) (Rmax lo (ln (exp (ell + r) + 1))).
Definition claim : Prop :=
  forall (ell g lo r : R),
    0 <= g -> 0 <= lo -> 0 <= r -> conclusion ell g lo r.
End M2_1.

(* M2.2 *)
Module M2_2.
Definition hypothesis_1 (c m : R) : Prop :=
  m <= c.
Definition hypothesis_2 (M c : R) : Prop :=
  c <= M.
Definition hypothesis_3 (n : R) (T : nat) : Prop :=
  n = INR T.
Definition conclusion (a m tau : R) (T : nat) : Prop :=
  exp (- (a * tau)) <= exp (- (INR T * a * m)).
End M2_2.

(* M2.3 *)
Module M2_3.
Definition conclusion (M lambda : R) (T : nat) : Prop :=
  M * (1 - exp (- (2 * M * INR T * lambda))) / (1 - exp (- (M * lambda))) <= 2 * M * (1 - exp (- (M * INR T *
    lambda))) / (1 - exp (- (M * lambda))).
Definition claim : Prop :=
  forall (M lambda : R) (T : nat),
    0 < M -> 0 < lambda -> (1 <= T)%nat -> conclusion M lambda T.
End M2_3.

(* M3.3 *)
Module M3_3.
Definition hypothesis_1 (w x : R) : Prop :=
  x <= w.
Definition conclusion (epsilon w x : R) : Prop :=
  x ^ 2 / (epsilon + x ^ 2) <= w ^ 2 / (epsilon + w ^ 2).
Definition claim : Prop :=
  forall (epsilon w x : R),
    0 < epsilon -> 0 <= w -> 0 <= x -> hypothesis_1 w x -> conclusion epsilon w x.
End M3_3.

(* M4.1-R_s *)
Module M4_1_R_s.
Definition hypothesis_1 (M c : R) : Prop :=
  c <= M.
Definition hypothesis_2 (M tau : R) (T : nat) : Prop :=
  tau <= M * INR T.
Definition hypothesis_3 (n : R) (T : nat) : Prop :=
  n = INR T.
Definition conclusion (M S_2 lambda : R) (T : nat) : Prop :=
  S_2 * lambda <= Rmin (lambda * Rmin (M ^ 2 * INR T * (INR T - 1) / 2) (M * (1 - (M * INR T * lambda + 1) * exp (- (M
    * INR T * lambda))) / (lambda * (1 - exp (- (M * lambda)))))) (M * (1 - exp (- (M * INR T * lambda))) / (1 - exp
    (- (M * lambda)))).
End M4_1_R_s.

(* M6.1 *)
Module M6_1.
Definition hypothesis_1 (a b : R) : Prop :=
  a <= b.
Definition hypothesis_2 (t : R) : Prop :=
  t <= 1.
Definition hypothesis_3 (D a epsilon s : R) : Prop :=
  s ^ 2 * (epsilon + a ^ 2 / D) = 1.
Definition hypothesis_4 (D b epsilon s_b : R) : Prop :=
  s_b ^ 2 * (epsilon + b ^ 2 / D) = 1.
Definition conclusion (a b s s_b t : R) : Prop :=
  a ^ 2 * s ^ 2 + b ^ 2 * s_b ^ 2 - 2 * a * b * s * s_b * t <= s ^ 2 * (a ^ 2 + b ^ 2 - 2 * a * b * t).
Definition claim : Prop :=
  forall (D a b epsilon s s_b t : R),
    0 < D -> 0 < a -> 0 < b -> 0 < epsilon -> 0 < s -> 0 < s_b -> hypothesis_1 a b -> hypothesis_2 t
    -> hypothesis_3 D a epsilon s -> hypothesis_4 D b epsilon s_b -> conclusion a b s s_b t.
End M6_1.
