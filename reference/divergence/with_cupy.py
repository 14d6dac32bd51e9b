"""How far one distribution is from another: reference answers in CuPy.

Made from with_numpy.py by `python -m llm_math_tests.derive`; edit that file instead.
"""

import cupy as cp


def _as_float(x):
    """Integers and booleans become float64."""
    return x if x.dtype.kind == "f" else x.astype(cp.float64)


def _widened(x):
    """float16 is summed in float32."""
    return x.astype(cp.float32) if x.dtype == cp.float16 else x


def _check_axis(axis, x):
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(f"axis must name one of {x.ndim} axes, got axis={axis}")


def _check_same_shape(p, q):
    if q.shape != p.shape:
        raise ValueError(f"q must have the shape of p {p.shape}, got q of shape {q.shape}")


def _log_softmax(logits, temperature):
    scores = _widened(_as_float(logits))
    out = scores - scores.max(axis=-1, keepdims=True)
    out /= temperature
    out -= cp.log(cp.exp(out).sum(axis=-1, keepdims=True))
    return out


def entropy(p, axis=-1):
    """Measure in nats how much a distribution leaves open.

    H(p) = -sum_i p_i log p_i,  0 log 0 = 0

    A sure distribution has entropy 0, n equally likely outcomes have log n, and
    everything else lies between. For the next token of a language model it says
    how many choices are still open (exp H of them), where to sample and where
    the model has no doubt; in reinforcement learning its collapse is watched.

    0 * log 0 is 0 * -inf, NaN, on a computer: the term of p = 0 has to be made 0.
    Do not write log(p + 1e-12) for that. It changes every other term too, and a
    probability of 1e-30, which has a logarithm of -69, would count as -28.

    Args:
        p: Probabilities, any shape.
        axis: The axis that is summed and dropped; may be negative.

    Returns:
        Entropies of the shape of p without axis, in the dtype of p (float16 is
        summed in float32; integers and booleans, rows of 0 and 1, give
        float64). Every term keeps its digits, however small: a row that is
        nearly sure has a small entropy, not 0. p is taken as it is, and not
        divided by its sum once more.

    Raises:
        ValueError: axis is out of range; on the CPU also, a probability is
            negative, or a row's sum is off 1 by more than max(1e-3, 8 n eps)
            for n numbers of a dtype's eps (rounded rows have to pass). A GPU
            would have to stop for that, so there nobody looks. The message
            names axis or p, and its value, the negative number or the sum.

    Example:
        >>> import cupy as cp
        >>> p = cp.array([[0.25, 0.25, 0.25, 0.25], [1.0, 0.0, 0.0, 0.0]])
        >>> entropy(p).round(4)
        array([1.3863, 0.    ])

    Source: Shannon (1948), "A mathematical theory of communication".
    """
    _check_axis(axis, p)
    probs = _widened(_as_float(p))
    # the log of 0 is kept finite, and then multiplied by 0
    terms = cp.maximum(probs, cp.finfo(probs.dtype).tiny)
    cp.log(terms, out=terms)
    terms *= probs
    # 0 - x and not -x: a sure row has 0, not -0
    return (0 - terms.sum(axis=axis)).astype(_as_float(p).dtype, copy=False)


def kl_divergence(p, q, axis=-1):
    """Measure what it costs to believe q where p is true, in nats.

    KL(p || q) = sum_i p_i log(p_i / q_i),  0 log(0 / q) = 0 for any q

    Coding the tokens of p with a code made for q takes KL nats more each than
    the entropy of p, so KL is never negative, and 0 only where q = p. It is no
    distance: KL(p || q) is not KL(q || p). The one averages over p and punishes
    a q that leaves out what p does (maximum likelihood, distillation), the
    other averages over the model's own samples (the penalty of RLHF).

    Where q = 0 < p the divergence is +inf, and that is the answer: with
    log(q + 1e-12) it would be 27.6 p, a number that only says 1e-12. Where
    p = 0 nothing is added, even if q is 0 too.

    The chapter prints 0.0144 as the KL of its example, where 0.0367 is right.
    The pair below has just that divergence:
    0.9 log(0.9 / 0.8) + 0.1 log(0.1 / 0.2) = 0.1060 - 0.0693 = 0.0367.

    Args:
        p: The true probabilities, any shape.
        q: The believed probabilities, the same shape.
        axis: The axis that is summed and dropped; may be negative.

    Returns:
        Divergences of the shape of p without axis, in the dtype of p (float16
        is summed in float32; integers and booleans, rows of 0 and 1, give
        float64). Where p and q are nearly equal the terms cancel: what is left
        may be wrong by a few roundings of sum p (1 + |log p| + |log q|), and may
        be below 0 by as much. p and q are taken as they are, and not divided by
        their sums once more.

    Raises:
        ValueError: q has another shape than p, or axis is out of range; on the
            CPU also, a probability is negative, or a row's sum is off 1 by more
            than max(1e-3, 8 n eps) for n numbers of a dtype's eps. The message
            names q and its shape, axis and its value, or p or q and the
            negative number or the sum.

    Example:
        >>> import cupy as cp
        >>> p, q = cp.array([0.9, 0.1]), cp.array([0.8, 0.2])
        >>> round(float(kl_divergence(p, q)), 4)
        0.0367
        >>> round(float(kl_divergence(q, p)), 4)
        0.0444

    Source: Kullback and Leibler (1951), "On information and sufficiency".
    """
    _check_same_shape(p, q)
    _check_axis(axis, p)
    true = _widened(_as_float(p))
    believed = _widened(_as_float(q))
    terms = true / cp.where(true == 0, true.dtype.type(1), believed)
    cp.maximum(terms, cp.finfo(terms.dtype).tiny, out=terms)
    cp.log(terms, out=terms)
    terms *= true
    return terms.sum(axis=axis).astype(_as_float(p).dtype, copy=False)


def js_divergence(p, q, axis=-1):
    """Compare two distributions symmetrically, and never get infinity.

    JS(p, q) = KL(p || m) / 2 + KL(q || m) / 2,  m = (p + q) / 2

    Both are compared with their average, which is 0 only where both are: so it
    is finite for any two distributions. It is 0 for equal ones and log 2 for
    those that have nothing in common, where KL is infinite and cannot tell a
    near miss from a far one. Its square root is a distance. It compares the
    next-token distributions of two models, or of two layers of one, without
    choosing which of them is the truth.

    Args:
        p: Probabilities, any shape.
        q: Probabilities, the same shape.
        axis: The axis that is summed and dropped; may be negative.

    Returns:
        Divergences (not distances: no square root) of the shape of p without
        axis, in the dtype of p (float16 is summed in float32; integers and
        booleans, rows of 0 and 1, give float64). They are finite, the same for
        (q, p) as for (p, q), and in [0, log 2]; the last two up to a few
        roundings. Where p and q are nearly equal the terms cancel: what is left
        may be wrong by a few roundings of sum p (1 + |log p|), or of the same
        of q. p and q are not divided by their sums once more.

    Raises:
        ValueError: q has another shape than p, or axis is out of range; on the
            CPU also, a probability is negative, or a row's sum is off 1 by more
            than max(1e-3, 8 n eps) for n numbers of a dtype's eps. The message
            names q and its shape, axis and its value, or p or q and the
            negative number or the sum.

    Example:
        >>> import cupy as cp
        >>> p = cp.array([[1.0, 0.0], [0.5, 0.5]])
        >>> q = cp.array([[0.0, 1.0], [0.5, 0.5]])
        >>> js_divergence(p, q).round(4)
        array([0.6931, 0.    ])

    Source: Lin (1991), "Divergence measures based on the Shannon entropy".
    """
    _check_same_shape(p, q)
    _check_axis(axis, p)
    first = _widened(_as_float(p))
    second = _widened(_as_float(q))
    tiny = cp.finfo(first.dtype).tiny
    # where both are 0 there is nothing to divide: 0 / tiny is 0
    middle = first + second
    middle *= 0.5
    cp.maximum(middle, tiny, out=middle)
    total = 0
    terms = cp.empty_like(middle)
    for probs in (first, second):
        cp.divide(probs, middle, out=terms)
        cp.maximum(terms, tiny, out=terms)
        cp.log(terms, out=terms)
        terms *= probs
        total = total + terms.sum(axis=axis)
    return (0.5 * total).astype(_as_float(p).dtype, copy=False)


def distillation_loss(student_logits, teacher_logits, temperature=2.0):
    """Teach a small model the whole distribution of a large one.

    L = T^2 * mean over rows of KL(p || q)
      = T^2 * mean over rows of sum_i p_i (log p_i - log q_i)
    p = softmax(teacher / T),  q = softmax(student / T)

    The right answer says what is right; the teacher's distribution also says
    which wrong answers are nearly right. A temperature above 1 brings those
    small probabilities out. It makes the gradients smaller by about 1 / T^2,
    and the factor T^2 makes up for it, so that T can be changed without
    changing the balance with another loss.

    Both logarithms come from the logits, as in log_softmax: subtract the row's
    largest logit before anything else, and never take the log of a probability
    (exp(-200) is 0 in float32, and its log -inf). The teacher is the truth, and
    comes first in the KL.

    Args:
        student_logits: Scores of the model that learns, shape (..., V): any
            number of leading axes, or none; each row of V is one distribution.
        teacher_logits: Scores of the model that it learns from, the same shape.
        temperature: T, above 0; both are divided by it.

    Returns:
        The mean over all rows (not over the V scores, and not over the first
        axis only), a scalar or 0-d array of the dtype of student_logits (float16
        is summed in float32; integers and booleans give float64). Adding a
        constant to a row of either changes nothing. Where the teacher has -inf
        nothing is added, also if the student has -inf there too; where only the
        student has -inf the loss is +inf. A row of all -inf gives NaN, and so
        does an empty batch.

    Raises:
        ValueError: temperature is not above 0, or teacher_logits has another
            shape than student_logits, or they have no axis; the message names
            temperature and its value, teacher_logits and its shape, or
            student_logits and its shape, ().

    Example:
        >>> import cupy as cp
        >>> teacher = 2 * cp.log(cp.array([[0.9, 0.1]]))
        >>> student = 2 * cp.log(cp.array([[0.8, 0.2]]))
        >>> round(float(distillation_loss(student, teacher, temperature=2.0)), 4)
        0.1468

    Source: Hinton, Vinyals and Dean (2015), "Distilling the knowledge in a
    neural network".
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got temperature={temperature}")
    if teacher_logits.shape != student_logits.shape:
        raise ValueError(
            f"teacher_logits must have the shape of student_logits {student_logits.shape}, "
            f"got teacher_logits of shape {teacher_logits.shape}"
        )
    if student_logits.ndim == 0:
        raise ValueError(
            f"student_logits must have a last axis of scores, "
            f"got student_logits of shape {student_logits.shape}"
        )
    log_q = _log_softmax(student_logits, temperature)
    log_p = _log_softmax(teacher_logits, temperature)
    p = cp.exp(log_p)
    terms = cp.subtract(log_p, log_q, out=log_p)
    terms *= p
    # 0 times -inf, or times -inf + inf, is to add nothing
    cp.copyto(terms, 0, where=p == 0)
    rows = terms.sum(axis=-1)
    loss = temperature**2 * (rows.sum() / rows.size)
    return loss.astype(_as_float(student_logits).dtype)


def gaussian_kl(mean, log_var):
    """Measure how far a Gaussian posterior has moved from the standard normal.

    KL(N(mean, diag exp(log_var)) || N(0, 1))
        = sum_i (mean_i^2 + exp(log_var_i) - 1 - log_var_i) / 2

    summed over the last axis: independent coordinates add up. It is the term
    that keeps a variational autoencoder's codes near the prior, and the price
    in nats of what the code says. A network gives the logarithm of the
    variance, which may have any sign; exp makes a variance of it.

    Near the prior, exp(log_var) - 1 is a difference of two numbers near 1: take
    it with expm1. A coordinate that has collapsed onto the prior, log_var =
    1e-3, costs 2.5e-7 nats, and in float32 the rounding of exp alone is 1.2e-7.

    Args:
        mean: Means, shape (..., d).
        log_var: Natural logarithms of the variances, the same shape.

    Returns:
        Divergences, shape (...), in the dtype of mean (float16 is summed in
        float32; integers and booleans give float64). The error is a few
        roundings of mean^2 + |expm1(log_var)| + |log_var|. A log_var of -inf, a
        variance of 0, gives +inf, and so does what the dtype cannot hold.

    Raises:
        ValueError: log_var has another shape than mean, or they have no axis;
            the message names log_var and its shape, or mean and its shape, ().

    Example:
        >>> import math
        >>> import cupy as cp
        >>> mean, log_var = cp.array([1.0, 0.0]), cp.array([0.0, math.log(4.0)])
        >>> round(float(gaussian_kl(mean, log_var)), 4)
        1.3069

    Source: Kingma and Welling (2014), "Auto-encoding variational Bayes",
    appendix B.
    """
    if log_var.shape != mean.shape:
        raise ValueError(
            f"log_var must have the shape of mean {mean.shape}, "
            f"got log_var of shape {log_var.shape}"
        )
    if mean.ndim == 0:
        raise ValueError(f"mean must have a last axis, got mean of shape {mean.shape}")
    center = _widened(_as_float(mean))
    log_variance = _widened(_as_float(log_var))
    terms = cp.expm1(log_variance)
    terms -= log_variance
    terms += center * center
    return (0.5 * terms.sum(axis=-1)).astype(_as_float(mean).dtype, copy=False)


def kl_penalized_reward(reward, policy_logprobs, reference_logprobs, beta):
    """Take from a reward what it cost to drift from the reference model.

    R = reward - beta * sum_t (log pi(y_t) - log pi_ref(y_t))

    In RLHF the policy is paid by a reward model, which is only right near the
    text that it was trained on. The sum over the tokens of a sampled answer is
    an unbiased estimate of KL(pi || pi_ref), so the penalty holds the policy
    near the reference. For a single answer the estimate may be negative: then
    the reward rises.

    Subtract token by token and sum the differences. The two sums by themselves
    are in the thousands for a long answer and nearly equal, and their
    difference would keep few digits.

    Args:
        reward: One number for each answer, shape (batch,).
        policy_logprobs: log pi of each token that was sampled, shape (batch, t).
        reference_logprobs: log pi_ref of the same tokens, shape (batch, t).
        beta: Weight of the penalty, 0 or above.

    Returns:
        Penalized rewards, shape (batch,), in the dtype of reward (float16 is
        summed in float32; integers and booleans give float64). The error is a
        few roundings of |reward| + beta * sum_t |log pi - log pi_ref|. A batch
        of 0 gives none. Where the reference has -inf, a token that it would
        never write, and beta is above 0, the reward is -inf.

    Raises:
        ValueError: beta is below 0; policy_logprobs does not have one axis more
            than reward, after the same batch; reference_logprobs has another
            shape than policy_logprobs. The message names beta and its value, or
            the array and its shape.

    Example:
        >>> import cupy as cp
        >>> policy = cp.array([[-1.0, -0.5], [-2.0, -1.0]])
        >>> reference = cp.array([[-1.5, -1.0], [-2.0, -0.5]])
        >>> kl_penalized_reward(cp.array([1.0, 0.0]), policy, reference, beta=0.1)
        array([0.9 , 0.05])

    Source: Ziegler et al. (2019), "Fine-tuning language models from human
    preferences".
    """
    if not beta >= 0:
        raise ValueError(f"beta must be 0 or above, got beta={beta}")
    if policy_logprobs.ndim == 0 or policy_logprobs.shape[:-1] != reward.shape:
        raise ValueError(
            f"policy_logprobs must have the shape of reward {reward.shape} and an axis of tokens, "
            f"got policy_logprobs of shape {policy_logprobs.shape}"
        )
    if reference_logprobs.shape != policy_logprobs.shape:
        raise ValueError(
            f"reference_logprobs must have the shape of policy_logprobs {policy_logprobs.shape}, "
            f"got reference_logprobs of shape {reference_logprobs.shape}"
        )
    policy = _widened(_as_float(policy_logprobs))
    drift = (policy - _widened(_as_float(reference_logprobs))).sum(axis=-1)
    out = _widened(_as_float(reward)) - beta * drift
    return out.astype(_as_float(reward).dtype, copy=False)
