"""The doors of the manufacturer's server."""

from django.urls import include, path

urlpatterns = [
    path("capture/", include("quartet_capture.urls")),
    path("epcis/", include("quartet_epcis.urls")),
    path("vrs/", include("quartet_vrs.urls")),
]
