"""Tasks that train networks on images."""
