"""The lessons whose numbers fit on paper: what a layer computes, on small given matrices."""
