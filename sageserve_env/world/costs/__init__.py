"""What serving costs beside a VM type's list price: prices by region and hour, traffic between regions, power, carbon."""
