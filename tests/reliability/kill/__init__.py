"""Operations that are killed or stopped where it hurts, while all that they work on lives in other processes.

AWS is moto's server in a process of its own, VideoSDK the simulation in the test's. An operation runs in a
child that is forked for it (`worker`), with the adapters that are deployed; the child counts the moments
before and after each call that it makes (`points`) and sends itself a signal at the chosen one. What Lambda,
SQS, the stream, the schedule and the apps do then is done by `platform`; what must be so when all has come
to rest is held by `oracle`.
"""
