"""Does a model fit on these GPUs, and what does the memory go to? Pure: values in, values out.

`checkpoint.read` (or `blueprint.draw`) gives a `Checkpoint`, `card.declared` or `card.reported` a
`Card`, `wish.of` a `Wish`; `fit.fit` judges, `choose.choose` finds the degree and the replicas of a
node, `table.render` shows it. The accuracy is measured against start-up logs of real deployments by
`benchmarks/planner_accuracy.py`.
"""
