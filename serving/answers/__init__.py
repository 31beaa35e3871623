"""What is predicted beside decisions: one file a question.

Each answerer folds what it needs from the log, event by event, and answers from that and from the
model that was published for it. Without a model it answers by its trivial peer, and says so.
"""
