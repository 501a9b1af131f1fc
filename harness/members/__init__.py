"""How members come about: fine-tuned here or brought, and the statistics that methods ask for."""
