"""The merged model comes out: chosen, merged again, written in transformers' layout with a card."""
