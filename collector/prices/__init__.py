"""What models cost: prices, the formula, the prices that come with Runwood, and each workspace's own."""
