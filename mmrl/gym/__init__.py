"""Markets as environments of gymnasium (extra `gymnasium`): `gymnasium.make("mmrl/Book-v0")`, and `make_vec`.

`import mmrl.gym` registers them, and so does `gymnasium.make("mmrl.gym:mmrl/Book-v0")`.
"""

from mmrl.gym.registration import register as register

register()
