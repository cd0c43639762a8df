"""Constants of models that the paper's authors released, so that every example runs without their files.

Measured by ``selective_ssm.measure`` from the checkpoints of github.com/Arya-Honarpisheh/gen_err_sel_ssm; each radius
is the least float64 above the exact one. The tests measure them again where the files are there.
"""

from __future__ import annotations

from ssm_bounds.bounds.architectures.selective_ssm.constants import MeasuredConstants
from ssm_bounds.bounds.values import Sample

IMDB = MeasuredConstants(
    d=16,
    N=4,
    k=1,
    V=30522,
    gate="softplus",
    s_A=-0.003351688152179122,
    B_A=4.334003448486328,
    M_A=81.22023928142153,
    B_u=4.574436041027412,
    B_B=4.288378858267074,
    M_B=42.24859392270446,
    B_C=4.217502028755503,
    M_C=43.032098922878504,
    B_q=1.4325078297441713,
    M_q=3.6555572766810656,
    p=-1.3829138278961182,
    B_w=3.292320851834108,
    M_w=10.257456183433533,
)
"""imdb_T500_m25000_seed1.pth: sentiment of film reviews. Its embedding was trained on the same sample."""

IMDB_SAMPLE = Sample(m=25000, T=500)

LISTOPS = MeasuredConstants(
    d=16,
    N=4,
    k=10,
    V=16,
    gate="softplus",
    s_A=-0.12617166340351105,
    B_A=8.765341758728027,
    M_A=184.2714528441429,
    B_u=5.209905748192222,
    B_B=4.666459135529816,
    M_B=48.391762513434514,
    B_C=4.983306033795602,
    M_C=48.76227239519358,
    B_q=3.655859797548892,
    M_q=11.257065725978464,
    p=-2.2463197708129883,
    B_w=5.808336560242736,
    M_w=97.6612513908185,
)
"""listops_T100_m1000_seed1.pth: nested lists of digits, ten outputs."""

LISTOPS_SAMPLE = Sample(m=1000, T=100)
