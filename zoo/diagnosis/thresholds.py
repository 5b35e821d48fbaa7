"""Every number that a verdict depends on, with the reason for it. None depends on the unit of the loss."""

# Depth. Per layer the deltas of a well-scaled net change by factors near one (Glorot and Bengio 2010; Schoenholz et al.
# 2017): a thousandth from the last layer to the first leaves the first layers' weights a thousand times slower.
DEPTH_RATIO = 1e-3
DEPTH_LAYERS = 3  # fewer layers with weights have no depth to vanish in
PERSISTENT = 3  # full readings in a row (steps 0, 1, 2 at the start): one batch is no verdict

# Activations.
DEAD_SHARE = 0.5  # of a layer's units: half of its capacity, far above what rare features explain
OPEN_SHARE = 0.2  # mean derivative relative to the largest: z of a tanh with a deviation of 4, of a sigmoid with 8

# Step size. A quadratic along the step: slope after / slope before = step / best step - 1.
OVERSHOOT = 1.0  # the step is twice the best one: the loss stands where it was
OVERWRITES = 0.1  # ||update|| / ||W||: a tenth of a weight matrix in one step
HARDLY_MOVES = 1e-2  # bound on the whole way of any weight matrix, relative to its size
TRIED = 100  # steps before slowness is a verdict
NO_PROGRESS = 0.02  # share of the loss
DIVERGED = 3.0  # times the initial loss
