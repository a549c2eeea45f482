"""The functions an analyst's SQL may call. Data; a name that is not here is refused.

Only functions whose answer follows from their arguments (and the clock, and chance): none that
reads a table, a dictionary, a file, the network, a setting, or says something about the server or
its other users. Names in lower case: no two functions of ClickHouse differ by case alone.
"""

from collections.abc import Iterator
from typing import Final


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def is_allowed_function(name: str) -> bool:
    """Whether a function of this name, in any case, may be called."""
    lowered = name.lower()
    return lowered in _FUNCTIONS or any(base in _AGGREGATES for base in _bases(lowered))


def _bases(name: str) -> Iterator[str]:
    """The name without each of the combinators that it may end in: `quantileIf`, `sumIfOrNull`."""
    yield name
    for _ in range(_COMBINATORS_MAX):
        ending = next((end for end in _COMBINATORS if name.endswith(end)), None)
        if ending is None:
            return
        name = name.removesuffix(ending)
        yield name


# What makes states of an aggregation and reads them stays out: a made-up state is bytes from
# outside, read by code that trusts them.
_COMBINATORS: Final = ("if", "array", "map", "distinct", "ordefault", "ornull", "argmin", "argmax")
_COMBINATORS_MAX: Final = 3


_AGGREGATES: Final = words(
    """
    any any_value anyheavy anylast any_respect_nulls anylast_respect_nulls argmax argmin avg
    avgweighted boundingratio approx_top_count approx_top_k approx_top_sum
    categoricalinformationvalue contingency corr corrstable count covarpop covarsamp cramersv
    cramersvbiascorrected deltasum deltasumtimestamp entropy exponentialmovingaverage
    exponentialtimedecayedavg exponentialtimedecayedcount exponentialtimedecayedmax
    exponentialtimedecayedsum first_value grouparray grouparrayinsertat grouparrayintersect
    grouparraylast grouparraymovingavg grouparraymovingsum grouparraysample grouparraysorted
    groupbitand groupbitor groupbitxor groupconcat groupuniqarray group_concat histogram
    intervallengthsum kolmogorovsmirnovtest kurtpop kurtsamp largesttrianglethreebuckets
    last_value mannwhitneyutest max max_by maxintersections maxintersectionsposition maxmap
    meanztest median medianexact medianexactlow medianexacthigh mediantdigest min min_by minmap
    quantile quantiledeterministic quantileexact quantileexacthigh quantileexactlow
    quantileexactexclusive quantileexactinclusive quantileexactweighted
    quantileinterpolatedweighted quantiles quantilesexact quantilesexactexclusive
    quantilesexactinclusive quantilesexacthigh quantilesexactlow quantilesexactweighted
    quantilestdigest quantilestdigestweighted quantilestiming quantiletdigest
    quantiletdigestweighted quantiletiming quantiletimingweighted rankcorr retention
    sequencecount sequencematch sequencenextnode simplelinearregression singlevalueornull
    skewpop skewsamp sparkbar stddevpop stddevsamp stddev_pop stddev_samp string_agg
    studentttest sum sumcount sumkahan summap sumwithoverflow theilsu topk topkweighted uniq
    uniqcombined uniqcombined64 uniqexact uniqhll12 uniqupto var_pop var_samp varpop varsamp
    welchttest windowfunnel cume_dist dense_rank denserank lag laginframe lead leadinframe
    nonnegativederivative nth_value ntile percent_rank percentrank rank row_number
    """
)

_NUMBERS: Final = """
    abs acos acosh asin asinh atan atan2 atanh cbrt ceil ceiling cos cosh degrees divide e erf
    erfc exp exp10 exp2 factorial floor gcd greatest hypot ifnotfinite intdiv intdivornull
    intdivorzero isfinite isinfinite isnan lcm least lgamma ln log log10 log1p log2 max2 min2
    minus mod modulo moduloornull moduloorzero multiply negate pi plus positivemodulo pow power
    radians round roundbankers rounddown roundduration sigmoid sign sin sinh sqrt tan tanh
    tgamma trunc truncate width_bucket widthbucket bar bitand bitcount bitnot bitor bitshiftleft
    bitshiftright bittest bitxor rand rand32 rand64 randcanonical randuniform
"""
_LOGIC: Final = """
    and assumenotnull casewithexpression coalesce empty equals firstnondefault greater
    greaterorequals if ifnull isdistinctfrom isnotdistinctfrom isnotnull isnull isnullable
    iszeroornull less lessorequals materialize multiif not notempty notequals nullif or
    tonullable transform xor
"""
_TIMES: Final = """
    adddate adddays addhours addinterval addmicroseconds addmilliseconds addminutes addmonths
    addquarters addseconds addweeks addyears age changeday changehour changeminute changemonth
    changesecond changeyear curdate current_date current_timestamp date date_add date_bin
    date_diff date_format date_sub date_trunc dateadd datediff datename datesub datetrunc day
    dayofmonth dayofweek dayofyear formatdatetime formatdatetimeinjodasyntax from_unixtime
    fromunixtimestamp fromunixtimestamp64micro fromunixtimestamp64milli fromunixtimestamp64nano
    fromunixtimestamp64second hour last_day makedate makedate32 makedatetime makedatetime64
    minute month monthname now now64 parsedatetime parsedatetimeornull parsedatetimeorzero
    parsedatetime64 parsedatetime64ornull parsedatetimebesteffort parsedatetimebesteffortornull
    parsedatetimebesteffortorzero parsedatetime64besteffort parsedatetime64besteffortornull
    parsedatetime64besteffortorzero parsedatetime32besteffort parsetimedelta quarter second
    subdate subtractdays subtracthours subtractinterval subtractmicroseconds
    subtractmilliseconds subtractminutes subtractmonths subtractquarters subtractseconds
    subtractweeks subtractyears timediff time_bucket timestamp timestamp_add timestamp_diff
    timestamp_sub timestampadd timestampdiff timestampsub timeslot timeslots timezoneof
    timezoneoffset today todayofmonth todayofweek todayofyear todaysinmonth tohour tointerval
    tointervalday tointervalhour tointervalmicrosecond tointervalmillisecond tointervalminute
    tointervalmonth tointervalquarter tointervalsecond tointervalweek tointervalyear toisoweek
    toisoyear tolastdayofmonth tolastdayofweek tomicrosecond tomillisecond tominute tomonday
    tomonth toquarter torelativedaynum torelativehournum torelativeminutenum torelativemonthnum
    torelativequarternum torelativesecondnum torelativeweeknum torelativeyearnum tosecond
    tostartofday tostartoffifteenminutes tostartoffiveminute tostartoffiveminutes tostartofhour
    tostartofinterval tostartofisoyear tostartofmicrosecond tostartofmillisecond tostartofminute
    tostartofmonth tostartofquarter tostartofsecond tostartoftenminutes tostartofweek
    tostartofyear totime totimezone tounixtimestamp tounixtimestamp64micro
    tounixtimestamp64milli tounixtimestamp64nano tounixtimestamp64second toweek toyear
    toyearweek toyyyymm toyyyymmdd toyyyymmddhhmmss tumble tumbleend tumblestart week year
    yearweek yesterday
"""
_TEXTS: Final = """
    alphatokens appendtrailingcharifabsent ascii base64decode base64encode basename char
    char_length character_length concat concat_ws concatwithseparator countmatches
    countmatchescaseinsensitive countsubstrings countsubstringscaseinsensitive
    dameraulevenshteindistance decodeurlcomponent domain domainwithoutwww editdistance
    encodeurlcomponent endswith endswithcaseinsensitive extract extractall extractallgroups
    extractallgroupshorizontal extractallgroupsvertical extractgroups extractkeyvaluepairs
    extracturlparameter firstline format formatreadabledecimalsize formatreadablequantity
    formatreadablesize formatreadabletimedelta halfmd5 hassubsequence
    hassubsequencecaseinsensitive hastoken hastokencaseinsensitive hex ilike initcap instr
    isvalidutf8 jarosimilarity jarowinklersimilarity left leftpad leftpadutf8 leftutf8 length
    lengthutf8 levenshteindistance like locate lower lowerutf8 lpad ltrim match md5 mid
    multimatchany multimatchanyindex multisearchany multisearchanycaseinsensitive
    multisearchfirstindex multisearchfirstposition ngramdistance ngrams ngramsearch notilike
    notlike path position positioncaseinsensitive positioncaseinsensitiveutf8 positionutf8
    printf regexp_extract regexpextract regexpquotemeta repeat replace replaceall replaceone
    replaceregexpall replaceregexpone reverse reverseutf8 right rightpad rightpadutf8 rightutf8
    rpad rtrim sha1 sha256 siphash64 cityhash64 xxhash64 soundex space splitbychar
    splitbynonalpha splitbyregexp splitbystring splitbywhitespace startswith
    startswithcaseinsensitive substr substring substring_index substringindex substringutf8
    topleveldomain translate translateutf8 trim trimboth trimleft trimright unhex upper
    upperutf8
"""
_LISTS: Final = """
    array arrayall arrayavg arraycompact arrayconcat arraycount arraycumsum
    arraycumsumnonnegative arraydifference arraydistinct arraydotproduct arrayelement
    arrayelementornull arrayenumerate arrayenumeratedense arrayenumerateuniq arrayexcept
    arrayexists arrayfill arrayfilter arrayfirst arrayfirstindex arrayfirstornull arrayflatten
    arrayfold arrayintersect arrayjaccardindex arrayjoin arraylast arraylastindex
    arraylastornull arraymap arraymax arraymin arraypartialreversesort arraypartialsort
    arraypopback arraypopfront arrayproduct arraypushback arraypushfront arrayremove arrayresize
    arrayreverse arrayreversefill arrayreversesort arrayreversesplit arrayrotateleft
    arrayrotateright arrayshiftleft arrayshiftright arrayshingles arrayslice arraysort
    arraysplit arraystringconcat arraysum arraysymmetricdifference arrayunion arrayuniq
    arraywithconstant arrayzip arrayzipunaligned countequal flatten has hasall hasany hassubstr
    indexof length range map mapadd mapall mapapply mapconcat mapcontains mapcontainskey
    mapcontainskeylike mapexists mapextractkeylike mapfilter mapfromarrays mapkeys mapsort
    mapsubtract mapupdate mapvalues tuple tupleconcat tupleelement tupleminus tuplenames
    tupleplus untuple
"""
_CONVERSIONS: Final = """
    tobool todate todate32 todate32ordefault todate32ornull todate32orzero todateordefault
    todateornull todateorzero todatetime todatetime32 todatetime64 todatetime64ordefault
    todatetime64ornull todatetime64orzero todatetimeordefault todatetimeornull todatetimeorzero
    todecimal128 todecimal32 todecimal32ornull todecimal64 todecimal64ornull todecimalstring
    tofixedstring tofloat32 tofloat32ornull tofloat32orzero tofloat64 tofloat64ordefault
    tofloat64ornull tofloat64orzero toint128 toint16 toint16ornull toint16orzero toint256
    toint32 toint32ordefault toint32ornull toint32orzero toint64 toint64ordefault toint64ornull
    toint64orzero toint8 toint8ornull toint8orzero tojsonstring tolowcardinality tostring
    totypename touint128 touint16 touint16ornull touint16orzero touint256 touint32
    touint32ordefault touint32ornull touint32orzero touint64 touint64ordefault touint64ornull
    touint64orzero touint8 touint8ornull touint8orzero touuid touuidornull touuidorzero
    tovalidutf8 toipv4 toipv4ornull toipv6 toipv6ornull isipv4string isipv6string
    isipaddressinrange ipv4numtostring ipv4stringtonum isvalidjson jsonextract
    jsonextractarrayraw jsonextractbool jsonextractfloat jsonextractint jsonextractkeys
    jsonextractkeysandvalues jsonextractraw jsonextractstring jsonextractuint jsonhas jsonlength
    jsontype simplejsonextractbool simplejsonextractfloat simplejsonextractint
    simplejsonextractraw simplejsonextractstring simplejsonextractuint simplejsonhas
    runningdifference grouping
"""

_FUNCTIONS: Final = words(_NUMBERS + _LOGIC + _TIMES + _TEXTS + _LISTS + _CONVERSIONS)
