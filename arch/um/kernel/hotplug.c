int um;
