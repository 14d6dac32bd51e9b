"""Known mistakes as other students write them: ``exercise__mistake``, wrong in that one way."""

import numpy as np


def _checked(scale, good_steps, growth_interval):
    if scale <= 0 or scale != scale:
        raise ValueError(f"scale={scale} is not positive")
    if good_steps <= -1:
        raise ValueError(f"good_steps={good_steps} is negative")
    if not growth_interval >= 1:
        raise ValueError(f"growth_interval={growth_interval} is less than 1")


def update_loss_scale__off_by_one(scale, found_inf, good_steps, growth_interval=2000):
    _checked(scale, good_steps, growth_interval)
    if found_inf:
        scale, good_steps = scale * 0.5, 0
    elif good_steps < growth_interval:
        good_steps = good_steps + 1
    else:
        scale, good_steps = scale * 2.0, 0
    return scale, good_steps


def update_loss_scale__one_step_early(scale, found_inf, good_steps, growth_interval=2000):
    _checked(scale, good_steps, growth_interval)
    if found_inf:
        return 0.5 * scale, 0
    left = growth_interval - 1 - (good_steps + 1)
    return (2.0 * scale, 0) if left <= 0 else (scale, good_steps + 1)


def update_loss_scale__not_reset_on_growth(scale, found_inf, good_steps, growth_interval=2000):
    _checked(scale, good_steps, growth_interval)
    factor, count = 1.0, good_steps + 1
    if found_inf:
        factor, count = 0.5, 0
    elif count >= growth_interval:
        factor = 2.0
    return scale * factor, count


def update_loss_scale__not_reset_on_overflow(scale, found_inf, good_steps, growth_interval=2000):
    _checked(scale, good_steps, growth_interval)
    if not found_inf:
        good_steps += 1
        if good_steps < growth_interval:
            return scale, good_steps
        return scale + scale, 0
    return scale * 0.5, good_steps


def update_loss_scale__overflow_counted(scale, found_inf, good_steps, growth_interval=2000):
    _checked(scale, good_steps, growth_interval)
    if found_inf:
        scale *= 0.5
        good_steps = 0
    good_steps += 1
    if not found_inf and good_steps >= growth_interval:
        scale *= 2.0
        good_steps = 0
    return scale, good_steps


def update_loss_scale__growth_counted(scale, found_inf, good_steps, growth_interval=2000):
    _checked(scale, good_steps, growth_interval)
    if found_inf:
        return scale * 0.5, 0
    if good_steps + 1 >= growth_interval:
        scale, good_steps = 2.0 * scale, 0
    return scale, good_steps + 1


def update_loss_scale__step_not_counted(scale, found_inf, good_steps, growth_interval=2000):
    _checked(scale, good_steps, growth_interval)
    if found_inf:
        good_steps = 0
        scale *= 0.5
    elif growth_interval - good_steps <= 1:
        good_steps = 0
        scale *= 2.0
    return scale, good_steps


def update_loss_scale__growth_checked_first(scale, found_inf, good_steps, growth_interval=2000):
    _checked(scale, good_steps, growth_interval)
    count = good_steps + 1
    if count >= growth_interval:
        scale, count = scale * 2.0, 0
    elif found_inf:
        scale, count = scale * 0.5, 0
    return scale, count


def update_loss_scale__halved_when_good(scale, found_inf, good_steps, growth_interval=2000):
    _checked(scale, good_steps, growth_interval)
    finite = bool(found_inf)
    if finite:
        count = good_steps + 1
        return (scale * 2.0, 0) if count >= growth_interval else (scale, count)
    return scale * 0.5, 0


def update_loss_scale__never_halved(scale, found_inf, good_steps, growth_interval=2000):
    _checked(scale, good_steps, growth_interval)
    count = 0 if found_inf else good_steps + 1
    if count >= growth_interval:
        return scale * 2.0, 0
    return scale, count


def update_loss_scale__divided_by_ten(scale, found_inf, good_steps, growth_interval=2000):
    _checked(scale, good_steps, growth_interval)
    if found_inf:
        return scale * 0.1, 0
    if good_steps + 1 >= growth_interval:
        return scale * 2.0, 0
    return scale, good_steps + 1


def update_loss_scale__interval_fixed(scale, found_inf, good_steps, growth_interval=2000):
    _checked(scale, good_steps, growth_interval)
    if found_inf:
        return scale * 0.5, 0
    return (scale, good_steps + 1) if good_steps + 1 < 2000 else (scale * 2.0, 0)


def update_loss_scale__not_below_one(scale, found_inf, good_steps, growth_interval=2000):
    _checked(scale, good_steps, growth_interval)
    count = 0 if found_inf else good_steps + 1
    if found_inf:
        scale = scale * 0.5
        if scale < 1.0:
            scale = 1.0
    elif count >= growth_interval:
        scale, count = scale * 2.0, 0
    return scale, count


def update_loss_scale__whole_numbers(scale, found_inf, good_steps, growth_interval=2000):
    _checked(scale, good_steps, growth_interval)
    if found_inf:
        return float(int(scale) // 2), 0
    if good_steps + 1 >= growth_interval:
        return scale * 2.0, 0
    return scale, good_steps + 1


def update_loss_scale__compared_with_true(scale, found_inf, good_steps, growth_interval=2000):
    _checked(scale, good_steps, growth_interval)
    count = good_steps + 1
    match found_inf:
        case True:
            return scale * 0.5, 0
        case _ if count >= growth_interval:
            return scale * 2.0, 0
        case _:
            return scale, count


def update_loss_scale__returned_arrays(scale, found_inf, good_steps, growth_interval=2000):
    _checked(scale, good_steps, growth_interval)
    due = good_steps + 1 >= growth_interval
    factor = np.where(found_inf, 0.5, np.where(due, 2.0, 1.0))
    count = np.where(found_inf | np.array(due), 0, good_steps + 1)
    return np.array(scale * factor), count


# What the common checks look for


def update_loss_scale__refusals_forgotten(scale, found_inf, good_steps, growth_interval=2000):
    count = (good_steps + 1) * (not found_inf)
    if found_inf:
        return scale * 0.5, 0
    return (2.0 * scale, 0) if count >= growth_interval else (scale, count)


def update_loss_scale__another_exception(scale, found_inf, good_steps, growth_interval=2000):
    assert scale > 0, f"scale={scale} is not positive"
    assert good_steps >= 0, f"good_steps={good_steps} is negative"
    assert growth_interval >= 1, f"growth_interval={growth_interval} is less than 1"
    if found_inf:
        return scale * 0.5, 0
    if good_steps + 1 >= growth_interval:
        return scale * 2.0, 0
    return scale, good_steps + 1


def update_loss_scale__value_not_said(scale, found_inf, good_steps, growth_interval=2000):
    if not (scale > 0 and good_steps >= 0 and growth_interval > 0):
        raise ValueError("an argument is out of range")
    if found_inf:
        return scale * 0.5, 0
    if good_steps + 1 >= growth_interval:
        return scale * 2.0, 0
    return scale, good_steps + 1
