"""Old samples: how long they are kept, what has to wait, and what becomes of them."""
