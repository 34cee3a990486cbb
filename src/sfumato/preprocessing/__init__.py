"""What happens to features before the network sees them; fitted once, then pure."""

from sfumato.preprocessing.features import FeatureTransform as FeatureTransform
from sfumato.preprocessing.features import feature_kind as feature_kind
from sfumato.preprocessing.scalers import SCALERS as SCALERS
from sfumato.preprocessing.scalers import AffineScaler as AffineScaler
