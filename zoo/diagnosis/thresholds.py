"""Every number that a verdict depends on, with the reason for it. None depends on the unit of the loss."""

# Depth. Per layer the deltas of a well-scaled net change by factors near one (Glorot and Bengio 2010; Schoenholz et al.
# 2017): a thousandth from the last layer to the first leaves the first layers' weights a thousand times slower.
DEPTH_RATIO = 1e-3
DEPTH_LAYERS = 4  # with weights, the head among them; fewer have no depth to vanish in
PERSISTENT = 3  # full readings in a row: one batch is no verdict
SPAN = 4  # steps that they cover at least

# Activations.
DEAD_SHARE = 0.7  # of a layer's units; in narrow deep ReLU nets half of them may rest by chance
SILENT = 64  # examples in a row (zoo.probes.layers)
OPEN_SHARE = 0.2  # mean derivative relative to the largest: z of a tanh with a deviation of 4, of a sigmoid with 8

# Step size. A quadratic along the step: slope after / slope before = step / best step - 1.
OVERSHOOT = 1.0  # the step is twice the best one: the loss stands where it was
OVERWRITES = 0.1  # ||update|| / ||W||: a tenth of a weight matrix in one step
HARDLY_MOVES = 1e-2  # bound on the whole way of any weight matrix, relative to its size
TRIED = 100  # steps before slowness is a verdict
NO_PROGRESS = 0.02  # share of the loss
DIVERGED = 3.0  # times the initial loss
JUMP = 3.0  # of the learning rate from one step to the next: no schedule in use but a mistake rises so

# The loss curve.
SMOOTH = 5  # steps of the running median

# Spikes. The largest of 51 like losses lies beyond five times the range of the other 50 by chance once in 6,000 runs of
# tails like |x|^-5, and never of tails like a Gaussian's.
SPIKE_WINDOW = 50
SPIKE_RANGE = 5.0
SPIKE_PROGRESS = 0.1  # of the loss's start or progress
SPIKE_GRADIENT = 3.0  # times the median norm before

# Clipping.
CLIPPING_STEPS = 50
CLIPPED_TIMES = 3.0  # a limit that is met by shortening threefold throughout is no limit for outliers
OFTEN = 0.3  # of all steps: a run that converges leaves any limit behind at last
OUT_OF_REACH = 100.0  # times the largest norm

# Batches.
READ_OFTEN = 5
EARLY = 20  # steps between full readings after the first few
NOISY_COSINE = 0.25  # noise scale of at least three batches
STATIONARY = 0.85  # of the mean loss of the second quarter: it goes on falling below that
NOISE_SHARE = 0.02  # of the loss
SMALL_ROWS = 8  # examples: one may doubt whether more are too few
MANY_ROWS = 256  # with fewer a step costs about the same
LARGE_BATCH = 10.0  # times the noise scale: no more than a tenth of the steps is saved beyond (McCandlish, eq. 2.11)

# Optimiser.
EPSILON_RATIO = 5.0  # the step is a sixth of what it would be, or less
DECAY_RATIO = 2.0
DECAYED_TO = 0.5

# Parameters and norms.
UNUSED_STEPS = 20
NORM_ERROR = 1.0  # relative error of a variance: 3 examples or fewer

# Terms.
CANCELLED = 0.2  # |g_a + g_b| / (|g_a| + |g_b|): four fifths of what the terms ask for is undone
STUCK = 0.3  # of the loss: less progress than that

# Memorising.
LEARNT = 0.5  # of the training loss at which unseen examples did best
CHANCE = 0.8  # of the first loss: unseen examples never got below
WITHIN = 0.3  # of the fall of the loss happens within epochs
EPOCHS = 3  # over which it falls, at least
EPOCH_BATCHES = 6  # shorter epochs have no inside

# Initial scale, in standard deviations of the initialisers in use (Glorot's, He's, LeCun's, torch's own).
TOO_LARGE = 3.0
TOO_SMALL = 8.0
COORDINATES = (
    4  # inputs or fewer: points in space and time, where a large first scale is a bandwidth (Tancik et al. 2020)
)
PASSED_ON = 0.1
