"""Plans: exact quotas, emotion trajectories and who speaks; nothing that is said."""
