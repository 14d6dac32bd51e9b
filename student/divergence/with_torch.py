"""Divergence in PyTorch: your answers.

Write the body of each function below, then run: pytest -k divergence --track torch

Asked of every function: inputs are left as they are and may have any memory
layout; results stay on their device and have their floating dtype; a
ValueError names the argument and its value.
"""

import torch


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

    It is built from differentiable torch operations, so that autograd can go
    back to p: dH/dp_i = -log p_i - 1. Where p is 0 that is infinite, and NaN or
    infinity there would reach every weight of the model: let a finite number
    come back (any will do, softmax multiplies it by p = 0).

    Args:
        p: Probabilities, a tensor of any shape.
        axis: The axis that is summed and dropped; may be negative.

    Returns:
        Entropies of the shape of p without axis, in the dtype of p (float16 and
        bfloat16 are summed in float32; integers and booleans, rows of 0 and 1,
        give the default dtype). Every term keeps its digits, however small: a
        row that is nearly sure has a small entropy, not 0. p is taken as it is,
        and not divided by its sum once more.

    Raises:
        ValueError: axis is out of range; on the CPU also, a probability is
            negative, or a row's sum is off 1 by more than max(1e-3, 8 n eps)
            for n numbers of a dtype's eps (rounded rows have to pass). A GPU
            would have to stop for that, so there nobody looks. The message
            names axis or p, and its value, the negative number or the sum.

    Example:
        >>> import torch
        >>> p = torch.tensor([[0.25, 0.25, 0.25, 0.25], [1.0, 0.0, 0.0, 0.0]])
        >>> entropy(p)
        tensor([1.3863, 0.0000])

    Source: Shannon (1948), "A mathematical theory of communication".
    """
    raise NotImplementedError


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

    It is built from differentiable torch operations, so that autograd can go
    back to p, with log(p_i / q_i) + 1, and to q, with -p_i / q_i. Where p is 0
    a finite number comes back to both (0 to q), also if q is 0 too: NaN or
    infinity there would reach every weight of the model. For a q of 1e-25 the
    gradient is large and finite; going back, a quotient p / q divides by q
    twice and overflows, two logarithms do not.

    Args:
        p: The true probabilities, a tensor of any shape.
        q: The believed probabilities, the same shape.
        axis: The axis that is summed and dropped; may be negative.

    Returns:
        Divergences of the shape of p without axis, in the dtype of p (float16
        and bfloat16 are summed in float32; integers and booleans, rows of 0 and
        1, give the default dtype). Where p and q are nearly equal the terms
        cancel: what is left may be wrong by a few roundings of
        sum p (1 + |log p| + |log q|), and may be below 0 by as much. p and q are
        taken as they are, and not divided by their sums once more.

    Raises:
        ValueError: q has another shape than p, or axis is out of range; on the
            CPU also, a probability is negative, or a row's sum is off 1 by more
            than max(1e-3, 8 n eps) for n numbers of a dtype's eps. The message
            names q and its shape, axis and its value, or p or q and the
            negative number or the sum.

    Example:
        >>> import torch
        >>> p, q = torch.tensor([0.9, 0.1]), torch.tensor([0.8, 0.2])
        >>> round(float(kl_divergence(p, q)), 4)
        0.0367
        >>> round(float(kl_divergence(q, p)), 4)
        0.0444

    Source: Kullback and Leibler (1951), "On information and sufficiency".
    """
    raise NotImplementedError


def js_divergence(p, q, axis=-1):
    """Compare two distributions symmetrically, and never get infinity.

    JS(p, q) = KL(p || m) / 2 + KL(q || m) / 2,  m = (p + q) / 2

    Both are compared with their average, which is 0 only where both are: so it
    is finite for any two distributions. It is 0 for equal ones and log 2 for
    those that have nothing in common, where KL is infinite and cannot tell a
    near miss from a far one. Its square root is a distance. It compares the
    next-token distributions of two models, or of two layers of one, without
    choosing which of them is the truth.

    It is built from differentiable torch operations, so that autograd can go
    back to p, with log(p_i / m_i) / 2, and to q likewise. Where one of them is 0
    a finite number comes back to it, also if both are: NaN or infinity there
    would reach every weight of the model.

    Args:
        p: Probabilities, a tensor of any shape.
        q: Probabilities, the same shape.
        axis: The axis that is summed and dropped; may be negative.

    Returns:
        Divergences (not distances: no square root) of the shape of p without
        axis, in the dtype of p (float16 and bfloat16 are summed in float32;
        integers and booleans, rows of 0 and 1, give the default dtype). They
        are finite, the same for (q, p) as for (p, q), and in [0, log 2]; the
        last two up to a few roundings. Where p and q are nearly equal the terms
        cancel: what is left may be wrong by a few roundings of
        sum p (1 + |log p|), or of the same of q. p and q are not divided by
        their sums once more.

    Raises:
        ValueError: q has another shape than p, or axis is out of range; on the
            CPU also, a probability is negative, or a row's sum is off 1 by more
            than max(1e-3, 8 n eps) for n numbers of a dtype's eps. The message
            names q and its shape, axis and its value, or p or q and the
            negative number or the sum.

    Example:
        >>> import torch
        >>> p = torch.tensor([[1.0, 0.0], [0.5, 0.5]])
        >>> q = torch.tensor([[0.0, 1.0], [0.5, 0.5]])
        >>> js_divergence(p, q)
        tensor([0.6931, 0.0000])

    Source: Lin (1991), "Divergence measures based on the Shannon entropy".
    """
    raise NotImplementedError


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

    It is built from differentiable torch operations, so that autograd can go
    back to the logits of both (a teacher that shall not learn comes detached).
    A masked class, -inf in both, has gradient 0.

    Args:
        student_logits: Scores of the model that learns, shape (..., V): any
            number of leading axes, or none; each row of V is one distribution.
        teacher_logits: Scores of the model that it learns from, the same shape.
        temperature: T, above 0; both are divided by it.

    Returns:
        The mean over all rows (not over the V scores, and not over the first
        axis only), a 0-d tensor of the dtype and device of student_logits
        (float16 and bfloat16 are summed in float32; integers and booleans give
        the default dtype). Adding a constant to a row of either changes
        nothing. Where the teacher has -inf nothing is added, also if the
        student has -inf there too; where only the student has -inf the loss is
        +inf. A row of all -inf gives NaN, and so does an empty batch.

    Raises:
        ValueError: temperature is not above 0, or teacher_logits has another
            shape than student_logits, or they have no axis; the message names
            temperature and its value, teacher_logits and its shape, or
            student_logits and its shape, ().

    Example:
        >>> import torch
        >>> teacher = 2 * torch.tensor([[0.9, 0.1]]).log()
        >>> student = 2 * torch.tensor([[0.8, 0.2]]).log()
        >>> round(float(distillation_loss(student, teacher, temperature=2.0)), 4)
        0.1468

    Source: Hinton, Vinyals and Dean (2015), "Distilling the knowledge in a
    neural network".
    """
    raise NotImplementedError


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

    It is built from differentiable torch operations, so that autograd can go
    back to both: with mean_i, and with expm1(log_var_i) / 2.

    Args:
        mean: Means, shape (..., d).
        log_var: Natural logarithms of the variances, the same shape.

    Returns:
        Divergences, shape (...), in the dtype of mean (float16 and bfloat16 are
        summed in float32; integers and booleans give the default dtype). The
        error is a few roundings of mean^2 + |expm1(log_var)| + |log_var|. A
        log_var of -inf, a variance of 0, gives +inf, and so does what the dtype
        cannot hold.

    Raises:
        ValueError: log_var has another shape than mean, or they have no axis;
            the message names log_var and its shape, or mean and its shape, ().

    Example:
        >>> import math
        >>> import torch
        >>> mean, log_var = torch.tensor([1.0, 0.0]), torch.tensor([0.0, math.log(4.0)])
        >>> round(float(gaussian_kl(mean, log_var)), 4)
        1.3069

    Source: Kingma and Welling (2014), "Auto-encoding variational Bayes",
    appendix B.
    """
    raise NotImplementedError


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

    It is built from differentiable torch operations, so that autograd can go
    back to all three (in PPO the reward is a constant, and comes detached).

    Args:
        reward: One number for each answer, shape (batch,).
        policy_logprobs: log pi of each token that was sampled, shape (batch, t).
        reference_logprobs: log pi_ref of the same tokens, shape (batch, t).
        beta: Weight of the penalty, 0 or above.

    Returns:
        Penalized rewards, shape (batch,), in the dtype of reward (float16 and
        bfloat16 are summed in float32; integers and booleans give the default
        dtype). The error is a few roundings of
        |reward| + beta * sum_t |log pi - log pi_ref|. A batch of 0 gives none.
        Where the reference has -inf, a token that it would never write, and
        beta is above 0, the reward is -inf.

    Raises:
        ValueError: beta is below 0; policy_logprobs does not have one axis more
            than reward, after the same batch; reference_logprobs has another
            shape than policy_logprobs. The message names beta and its value, or
            the array and its shape.

    Example:
        >>> import torch
        >>> policy = torch.tensor([[-1.0, -0.5], [-2.0, -1.0]])
        >>> reference = torch.tensor([[-1.5, -1.0], [-2.0, -0.5]])
        >>> kl_penalized_reward(torch.tensor([1.0, 0.0]), policy, reference, beta=0.1)
        tensor([0.9000, 0.0500])

    Source: Ziegler et al. (2019), "Fine-tuning language models from human
    preferences".
    """
    raise NotImplementedError
