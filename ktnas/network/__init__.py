"""From a genotype to a torch module, as the authors of its space define it."""
