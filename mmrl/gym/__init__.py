"""Markets as environments of gymnasium (extra `gymnasium`): `gymnasium.make("mmrl/Book-v0")`, and `make_vec`.

`import mmrl.gym` registers them; where mmrl is installed gymnasium finds them by itself.
"""

from mmrl.gym.registration import register as register

register()
