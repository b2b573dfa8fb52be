"""What every tier needs before anything else is imported: the mode of concurrency that the run asks for."""

from cinder_lite import concurrency

concurrency.patch()
