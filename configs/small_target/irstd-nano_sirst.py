# The small-target network alone on SIRST v1.
_base_ = ['../_base_/models/irstd-nano.py', '../_base_/small_target.py']
