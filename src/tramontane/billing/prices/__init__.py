"""What tokens cost: the hosted API's list as dated data, and the operator's own prices over it."""
