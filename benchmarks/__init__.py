"""Measurements beside those of others, in one run on one machine: read the ratios, not the milliseconds.

make bench                          all of them; results/ keeps what they gave
python -m benchmarks minilm_page    one of them
"""
