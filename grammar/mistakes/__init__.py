"""What people write instead: each frequent mistake, and the message it gets."""
