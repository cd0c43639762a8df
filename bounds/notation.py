"""Every symbol of theory.md, once: sympy symbol, meaning, unit and source.

``NOTATION`` is the table; the module attributes are the sympy symbols. Assumptions are the ones that
theory states, so that sympy never simplifies with more than is known.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy


@dataclass(frozen=True, slots=True)
class Notation:
    """One symbol with what it means, its unit, and where theory introduces it."""

    symbol: sympy.Symbol
    meaning: str
    unit: str
    source: str

    @property
    def latex(self) -> str:
        return sympy.latex(self.symbol)


NOTATION: dict[str, Notation] = {}


def _symbol(name: str, meaning: str, *, unit: str = "1", source: str, **assumptions: bool) -> sympy.Symbol:
    symbol = sympy.Symbol(name, **assumptions)
    NOTATION[name] = Notation(symbol, meaning, unit, source)
    return symbol


def _count(name: str, meaning: str, source: str = "theory.md 1") -> sympy.Symbol:
    return _symbol(name, meaning, unit="count", source=source, integer=True, positive=True)


def _radius(name: str, meaning: str, unit: str, source: str = "theory.md 1") -> sympy.Symbol:
    return _symbol(name, meaning, unit=unit, source=source, nonnegative=True)


# Sizes
m = _count("m", "number of training sequences")
T = _count("T", "largest sequence length")
d = _count("d", "channels")
N = _count("N", "states per channel")
k = _count("k", "outputs")
V = _count("V", "rows of the embedding", "theory.md 5.4")

# Radii of the class
B_u = _radius("B_u", "largest l2 norm of an input token u_t", "input")
B_B = _radius("B_B", "spectral norm of W_B", "state/input")
M_B = _radius("M_B", "entrywise l1 norm of W_B", "state/input")
B_C = _radius("B_C", "spectral norm of W_C", "1/(state input)")
M_C = _radius("M_C", "entrywise l1 norm of W_C", "1/(state input)")
B_q = _radius("B_q", "l2 norm of the gate weights q", "logit/input")
M_q = _radius("M_q", "l1 norm of the gate weights q", "logit/input")
B_A = _radius("B_A", "largest modulus of a diagonal entry a_jn of A", "1/time")
M_A = _radius("M_A", "entrywise l1 norm of A", "1/time")
B_w = _radius("B_w", "spectral norm of the readout W", "output/channel")
M_w = _radius("M_w", "entrywise l1 norm of the readout W", "output/channel")
v_B = _radius("v_B", "largest |W_B e_v| over the vocabulary", "state", "theory.md 5.3")
v_C = _radius("v_C", "largest |W_C e_v| over the vocabulary", "1/state", "theory.md 5.3")
v_w = _radius("v_w", "largest sup_{|a|=1} |(W^T a) o e_v|_1 over the vocabulary", "output input", "theory.md 5.3")
s_A = _symbol("s_A", "spectral abscissa: largest entry of A", unit="1/time", source="theory.md 1", real=True)
p = _symbol("p", "gate bias", unit="logit", source="theory.md 1", real=True)
p_lo = _symbol("p_lo", "least gate bias of the class", unit="logit", source="theory.md 1", real=True)
p_hi = _symbol("p_hi", "largest gate bias of the class", unit="logit", source="theory.md 1", real=True)

# Derived constants
Delta_min = _radius("Delta_min", "softplus of the smallest gate logit", "time")
M = _radius("M", "largest gate Delta_t of the class (M_Delta in the paper)", "time")
kappa = _radius("kappa", "B_w B_B B_C B_u^3: largest output of one unit of gated time", "output/time")
rho = _symbol("rho", "decay of one step, e^{s_A Delta}", source="theory.md 2", positive=True)
lambda_ = _symbol("lambda", "decay rate -s_A", unit="1/time", source="theory.md 4.4", real=True)
L = _radius("L", "longest gated time T M", "time", "theory.md 4.5")
phi = _radius("phi", "loss of the Riemann lemma, lambda M/(1 - e^{-lambda M})", "1", "theory.md 4.4")
S_1 = _radius("S_1", "sum_{t<T} rho^t", "1", "theory.md 2")
S_2 = _radius("S_2", "sum_{t<T} t rho^t", "1", "theory.md 2")
R_1 = _radius("R_1", "largest sum_i c_i e^{s_A tau_i} over gate sequences", "time", "theory.md 4.5")
R_2 = _radius("R_2", "bound of sum_i c_i tau_i e^{s_A tau_i} over gate sequences", "time^2", "theory.md 4.5")
R_g = _radius("R_g", "bound of the gate's slopes, sum_i |c_i' + a tau_i' c_i| e^{a tau_i}", "time", "theory.md 5.1")
B_x = _radius("B_x", "bound of the state in the published chain, M B_B B_u^2 S_1", "state", "theory.md 2")

# A Mamba layer
U = _radius("U", "l2 norm of the suprema U_j of the channels of u", "input", "theory.md M1.2")
Z = _radius("Z", "largest supremum Z_j of SiLU(z_j)", "1", "theory.md M3.1")
D_skip = _radius("D", "largest modulus of the skip D_j", "1", "theory.md M0")
B_o = _radius("B_o", "spectral norm of out_proj's weight W_o", "output/channel", "theory.md M0")

# A linear time-invariant system
K_2 = _radius("K_2", "l2 norm of all taps h_l, l < T", "output/input", "theory.md 14.2")
K_1 = _radius("K_1", "sum of the moduli of all entries of all taps", "output/input", "theory.md 14.2")
K_rho = _radius("K_rho", "largest |h_l|_2/rho^l", "output/input", "theory.md 14.3")
s_lambda = _symbol(
    "s_lambda",
    "largest real part of an exponent lambda_jn, or ln rho",
    unit="1",
    source="theory.md 14.3",
    real=True,
)
b_lambda = _radius("b_lambda", "largest decay -Re lambda_jn", "1", "theory.md 14.4")
C_1 = _radius("C_1", "largest sum of moduli sum_n |c_jn| of a channel", "output/input", "theory.md 14.4")
psi_1 = _radius("psi_1", "sum of |g_sj| sigma0_sj over the reversed taps g", "output", "theory.md 16.4")
psi_2 = _radius("psi_2", "modulus of the sum of g_sj mu0_sj", "output", "theory.md 16.4")
q_x = _radius("q_x", "largest mean square over the sample of an input less mu0, over sigma0", "1", "theory.md 16.4")
e_m = _radius("e_m", "E|S_m|/m, S_m the sum of m random signs", "1", "theory.md 16.4")

# A recurrent network
B_U = _radius("B_U", "spectral norm of the recurrent matrix U", "1", "theory.md 10.1")
B_W = _radius("B_W", "spectral norm of the input matrix W of a recurrent network", "state/input", "theory.md 10.1")
B_V = _radius("B_V", "spectral norm of the readout V of a recurrent network", "output/state", "theory.md 10.1")
rho_h = _radius("rho_h", "Lipschitz constant of the activation, which is 0 at 0", "1", "theory.md 10.1")
b_h = _radius("b_h", "largest modulus of an entry of the state that the activation allows", "state", "theory.md 10.1")
B_h = _radius("B_h", "bound H_T of the state after T tokens", "state", "theory.md 10.1")
G_h = _radius("G_h", "sum_{i<T} beta^i H_{T-1-i} over bounds of earlier states", "state", "theory.md 10.1")
J = _symbol(
    "J",
    "number of tokens from which on the state is bounded by its entries alone",
    unit="count",
    source="theory.md 10.1",
    integer=True,
    nonnegative=True,
)

# A layer of attention
B_c = _radius("B_c", "spectral norm of the matrix W_c behind the activation", "1", "theory.md 10.2")
B_v = _radius("B_v", "spectral norm of the values' matrix W_v", "1", "theory.md 10.2")
B_qk = _radius("B_qk", "spectral norm of W_qk, the product of queries and keys", "1/input^2", "theory.md 10.2")
L_sigma = _radius("L_sigma", "Lipschitz constant of the activation, which is 0 at 0", "1", "theory.md 10.2")

# Covers
eps = _symbol("epsilon", "covering radius", unit="of the covered quantity", source="theory.md 3", positive=True)
n = _count("n", "entries of a covered vector or matrix", "theory.md 3")
r = _radius("r", "radius (or half-width) of a covered set", "of the covered quantity", "theory.md 3.2")
M_W = _radius("M_W", "entrywise l1 radius of a covered matrix", "of the covered matrix", "theory.md 3.1")
a_cover = _radius("a", "(q,s) norm radius of a covered matrix", "of the covered matrix", "theory.md 2, D.1")
b_cover = _radius("b", "entrywise norm of the data matrix", "of the data matrix", "theory.md 2, D.1")
d_in = _count("d_1", "rows of a covered matrix", "theory.md 2, D.1")
d_out = _count("d_2", "columns of a covered matrix", "theory.md 2, D.1")
gamma = _radius("gamma", "sum_i alpha_i^{1/3} beta_i^{2/3}", "output^{2/3}", "theory.md 2, C.9")

# From entropy to a bound
c = _symbol("c", "range of the loss", unit="loss", source="theory.md 6", positive=True)
l = _symbol("l", "Lipschitz constant of the loss", unit="loss/output", source="theory.md 6", positive=True)  # noqa: E741
delta = _symbol("delta", "failure probability", source="theory.md 6", positive=True)
a = _symbol("alpha", "lower end of the Dudley integral", unit="loss", source="theory.md 6.1", positive=True)
H = _radius("H", "bound of the log covering number", "nat", "theory.md 6")
H_function = sympy.Function("H")
C_F = _radius("C_F", "published capacity gamma^{3/2}", "output", "theory.md 2")
rademacher = _radius("R_S", "bound of the empirical Rademacher complexity", "loss", "theory.md 6.1")
price = _radius("w", "ln(1/pi): price of the grid cell chosen after the data", "nat", "theory.md 7")
margin = _symbol("g", "margin", unit="output", source="theory.md 6.3", positive=True)
