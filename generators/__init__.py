"""The makers: plan -> script -> speech -> scene. Functions of (record, seed), nothing else."""
