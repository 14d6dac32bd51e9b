"""Finding answers and running them behind one small door.

The trusted side (engine, checks, expected values) speaks NumPy; an answer runs
on the other side, in this process or in a worker process. The modules
``values``, ``wire``, ``load``, ``perform`` and ``worker_main``, with
``llm_math_tests.tracks``, are all that the answer's side needs: they know
nothing of the catalogue, the references or what is expected.
"""
