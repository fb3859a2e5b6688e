"""The second judge: it derives every duty and its verdict again, from facts and from people's decisions.

It shares no rule with `syncd.policy` and imports `syncd.domain` alone, so that one mistake cannot stand on
both sides of a comparison.
"""
