//! What all models share: images to tensors, score direction and range, devices by name, strict weight loading.
