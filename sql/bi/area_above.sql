create function bi.area_above(a float8, b float8, hours float8) returns float8
language sql immutable parallel safe
return case
    when a = 0 and b = 0 then 0
    else power(greatest(a, 0) + greatest(b, 0), 2) / (abs(a) + abs(b)) * hours / 2
end;

comment on function bi.area_above(float8, float8, float8) is
'Energy above zero of a power that changes from a to b in a straight line; the one below is that of -a and -b.';
